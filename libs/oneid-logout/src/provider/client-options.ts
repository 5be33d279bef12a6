import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { IsArray, IsBoolean, IsIn, IsNotEmpty, IsString, MaxLength, ValidateNested } from 'class-validator';
import { type JWK } from 'jose';
import {
  EachOf,
  fill,
  IsEndpoint,
  IsOptional,
  IsProviderUrl,
  IsRedirectUri,
  isRecord,
  type Plain,
  Predicate,
} from '../option-checks.js';
import { withoutSlash } from '../rule/issuer.js';
import { LEAST_SECRET_LENGTH } from './client-secret-keys.js';
import { CONTENT_ENCRYPTION_ALGORITHMS, KEY_MANAGEMENT_ALGORITHMS } from './token-decryption.js';

const ASYMMETRIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

const ArePrivateKeys = () => EachOf('arePrivateKeys', 'must be a complete private JWK (RSA, EC or OKP)', isPrivateKey);

const IsSigningKey = () =>
  Predicate(
    'isSigningKey',
    `must be a complete private JWK whose alg is one of ${ASYMMETRIC_ALGORITHMS.join(', ')}`,
    (value) => isPrivateKey(value) && signsWith(value as JWK),
  );

/** Can this key sign with the `alg` that it names? */
function signsWith({ kty, crv, alg = '' }: JWK): boolean {
  if (!ASYMMETRIC_ALGORITHMS.includes(alg)) return false;
  if (/^[RP]S/.test(alg)) return kty === 'RSA';
  const curves: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
  return crv === (curves[alg] ?? 'Ed25519');
}

function isPrivateKey(value: unknown): boolean {
  if (!isRecord(value)) return false;
  try {
    createPrivateKey({ key: value as JsonWebKey, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

/** A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3). */
class ProviderMetadataSchema {
  @IsEndpoint()
  readonly jwks_uri!: string;

  @IsEndpoint()
  readonly end_session_endpoint!: string;

  /** Without it no refresh token can be revoked. */
  @IsOptional()
  @IsEndpoint()
  readonly revocation_endpoint?: string | undefined;

  /** For `private_key_jwt`: Hydra takes only assertions whose audience it is. */
  @IsOptional()
  @IsEndpoint()
  readonly token_endpoint?: string | undefined;
}

/** One registration of this app at a provider. */
class ClientSchema {
  /** The provider, as in `https://oauth.example/`; the trailing slash does not matter, what discovery says does. */
  @IsProviderUrl()
  // stored with the slash that discovery may add
  @MaxLength(254)
  readonly issuer!: string;

  @IsString()
  @IsNotEmpty()
  @MaxLength(255)
  readonly clientId!: string;

  /** Needed to revoke refresh tokens of a confidential client. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly clientSecret?: string | undefined;

  /** How the client authenticates to revoke tokens; by default `client_secret_basic` with a secret, else `none`. */
  @IsOptional()
  @IsIn(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'])
  readonly tokenEndpointAuthMethod?:
    'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none' | undefined;

  /** The private key for `private_key_jwt`, with its `alg`. */
  @IsOptional()
  @IsSigningKey()
  readonly clientAssertionSigningKey?: JWK | undefined;

  /**
   * Where OneID sends the browser after a logout: the public URL of this module's `/logout/callback`, character for
   * character as registered there. Its origin is taken for this app's public origin.
   */
  @IsRedirectUri()
  readonly postLogoutRedirectUri!: string;

  /** Every endpoint by hand; without it they are discovered. */
  @IsOptional()
  @ValidateNested()
  readonly metadata?: ProviderMetadataOptions | undefined;

  /**
   * The only `alg` that ID tokens and logout tokens may have. With HS256, HS384 and HS512 they are verified with the
   * client secret (32, 48, 64 bytes at least) and never with the provider's keys.
   */
  @IsIn([...ASYMMETRIC_ALGORITHMS, ...Object.keys(LEAST_SECRET_LENGTH)])
  readonly idTokenSignedResponseAlg?: string = 'RS256';

  /**
   * Take ID tokens and logout tokens encrypted with this `alg`, and no others; it takes `decryptionKeys`. An encrypted ID
   * token is not sent to OneID as a hint: only this app could read it.
   */
  @IsOptional()
  @IsIn(KEY_MANAGEMENT_ALGORITHMS)
  readonly idTokenEncryptedResponseAlg?: string | undefined;

  /** The only `enc` that encrypted tokens may have. */
  @IsIn(CONTENT_ENCRYPTION_ALGORITHMS)
  readonly idTokenEncryptedResponseEnc?: string = 'A128CBC-HS256';

  /** Private keys that open encrypted tokens: the newest, and older ones for as long as they may be in use. */
  @IsArray()
  @ArePrivateKeys()
  readonly decryptionKeys?: readonly JWK[] = [];

  /**
   * Where `state` travels: as the parameter of its own that RP-Initiated Logout 1.0 §2 describes, inside
   * `post_logout_redirect_uri` as OneID's page shows (the registration must allow it), or in `both`.
   */
  @IsIn(['parameter', 'redirectUri', 'both'])
  readonly statePlacement?: 'parameter' | 'redirectUri' | 'both' = 'parameter';

  /** Refuse logout tokens without `exp` (Back-Channel Logout 1.0 §2.4); OneID sends none. */
  @IsBoolean()
  readonly requireLogoutTokenExp?: boolean = false;

  /** Refuse logout tokens whose `typ` is not `logout+jwt`; OneID's is `JWT`. */
  @IsBoolean()
  readonly strictLogoutTokenTyp?: boolean = false;

  /** What a logout of one browser login ends: its own sessions, or all sessions of its user. */
  @IsIn(['session', 'user'])
  readonly logoutScope?: 'session' | 'user' = 'session';

  /** Don't revoke refresh tokens when a session is ended; they are erased here all the same. */
  @IsBoolean()
  readonly keepOfflineTokens?: boolean = false;
}

/** A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3). */
export type ProviderMetadataOptions = Plain<ProviderMetadataSchema>;

/** One registration of this app at a provider. */
export type OneIdClientOptions = Plain<ClientSchema>;

type Optional = 'clientSecret' | 'clientAssertionSigningKey' | 'metadata' | 'idTokenEncryptedResponseAlg';

/** A client's options with all defaults filled in. */
export type ResolvedClientOptions = Required<Omit<OneIdClientOptions, Optional>> & Pick<OneIdClientOptions, Optional>;

/** A client as it was given, over the defaults; not checked yet. */
export function clientWithDefaults(given: unknown): ClientSchema {
  return fill(new ClientSchema(), given, {
    metadata: (metadata) => fill(new ProviderMetadataSchema(), metadata, {}),
  });
}

/** A client that has been checked, with the defaults that depend on other options. */
export function resolveClient(client: OneIdClientOptions): ResolvedClientOptions {
  return Object.assign({}, client, {
    tokenEndpointAuthMethod:
      client.tokenEndpointAuthMethod ?? (client.clientSecret === undefined ? 'none' : 'client_secret_basic'),
  }) as ResolvedClientOptions;
}

/** What is fine option by option, but not together. */
export function clientFaults(clients: readonly OneIdClientOptions[]): string[] {
  const faults: string[] = [];
  clients.forEach((client, index) => {
    faults.push(...keyFaults(client).map((fault) => `clients[${index}].${fault}`));
    const siblings = clients
      .slice(0, index)
      .filter((earlier) => withoutSlash(earlier.issuer) === withoutSlash(client.issuer));
    if (siblings.some((earlier) => earlier.clientId === client.clientId)) {
      faults.push(`clients[${index}] is the same client as one before it`);
    }
    // one provider can't have two sets of endpoints, and endpoints by hand come with an exact issuer
    if (siblings.some((earlier) => providerOf(earlier) !== providerOf(client))) {
      faults.push(`clients[${index}] gives another issuer or metadata than one before it with the same provider`);
    }
  });
  return faults;
}

function keyFaults(client: OneIdClientOptions): string[] {
  const { idTokenSignedResponseAlg: alg = '', clientSecret = '', decryptionKeys = [] } = client;
  const { tokenEndpointAuthMethod: method = 'none', clientAssertionSigningKey: signingKey } = client;
  const faults: string[] = [];
  if (method.startsWith('client_secret') && clientSecret === '') {
    faults.push(`clientSecret must be given, for tokenEndpointAuthMethod is ${method}`);
  }
  if (method === 'private_key_jwt' && client.metadata !== undefined && client.metadata.token_endpoint === undefined) {
    faults.push('metadata.token_endpoint must be given, for tokenEndpointAuthMethod is private_key_jwt');
  }
  if ((method === 'private_key_jwt') !== (signingKey !== undefined)) {
    faults.push('clientAssertionSigningKey and the tokenEndpointAuthMethod private_key_jwt must be given together');
  }
  const least = LEAST_SECRET_LENGTH[alg] ?? 0;
  if (Buffer.byteLength(clientSecret) < least) {
    faults.push(`clientSecret must have at least ${least} bytes, for idTokenSignedResponseAlg is ${alg}`);
  }
  const encrypted = client.idTokenEncryptedResponseAlg !== undefined;
  if (encrypted && decryptionKeys.length === 0) {
    faults.push('decryptionKeys must not be empty, for idTokenEncryptedResponseAlg is given');
  }
  if (!encrypted && decryptionKeys.length > 0) {
    faults.push('idTokenEncryptedResponseAlg must be given, for there are decryptionKeys');
  }
  return faults;
}

function providerOf({ issuer, metadata }: OneIdClientOptions): string {
  if (metadata === undefined) return '';
  const { jwks_uri, end_session_endpoint, revocation_endpoint, token_endpoint } = metadata;
  return JSON.stringify([issuer, jwks_uri, end_session_endpoint, revocation_endpoint, token_endpoint]);
}
