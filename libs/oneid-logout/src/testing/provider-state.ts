import { type BrowserLogins } from './browser-logins.js';
import { type Grants } from './grants.js';
import { type MetadataOverrides } from './provider-metadata.js';
import { type RevocationRequest } from './revocation-endpoint.js';
import { type SigningKeys } from './signing-keys.js';
import { type OneIdTestClient } from './test-client.js';
import { type TokenIssuer } from './tokens.js';

/** What the endpoints share. */
export interface ProviderState {
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
}

export const secondsOf = (milliseconds: number): number => Math.floor(milliseconds / 1000);

export const tokenIssuer = ({ issuer, keys, now }: ProviderState): TokenIssuer => ({
  issuer,
  key: keys.current,
  seconds: secondsOf(now()),
});
