import { type BrowserLogins } from './browser-logins.js';
import { type Grants } from './grants.js';
import { type HydraVersion } from './hydra-version.js';
import { type SigningKeys } from './signing-keys.js';
import { type OneIdTestClient } from './test-client.js';
import { type TokenIssuer } from './tokens.js';

/** Fields of the discovery document; one that is `undefined` is left out. */
export type MetadataOverrides = Readonly<Record<string, unknown>>;

/** A revocation request that was answered with 200. */
export interface RevocationRequest {
  /** The token of the request. */
  readonly token: string;
  /** `token_type_hint` of the request. */
  readonly tokenTypeHint?: string;
  /** The client that authenticated. */
  readonly clientId: string;
  /** Whether the request revoked a live token. Hydra answers 200 for unknown and rotated-out tokens too. */
  readonly effective: boolean;
  /** Milliseconds since 1970, on the provider's clock. */
  readonly at: number;
}

/** The state that the endpoints share. */
export interface ProviderState {
  readonly hydra: HydraVersion;
  readonly issuer: string;
  readonly clients: Map<string, OneIdTestClient>;
  readonly keys: SigningKeys;
  readonly logins: BrowserLogins;
  readonly grants: Grants;
  readonly revoked: RevocationRequest[];
  readonly alwaysSetsState: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  metadata: MetadataOverrides;
  /** Runs while the next user is at the consent page. */
  atConsent: (() => unknown) | undefined;
}

export const secondsOf = (milliseconds: number): number => Math.floor(milliseconds / 1000);

export const tokenIssuer = ({ issuer, keys, now }: ProviderState): TokenIssuer => ({
  issuer,
  key: keys.current,
  seconds: secondsOf(now()),
});
