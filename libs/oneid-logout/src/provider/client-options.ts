import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { type JWK } from 'jose';
import {
  EachOf,
  fill,
  IsEndpoint,
  IsOptional,
  IsProviderUrl,
  IsRedirectUri,
  isRecord,
  isSecureUrl,
  Predicate,
} from '../option-checks.js';
import { MAX_IDENTIFIER_LENGTH } from '../rule/identifier.js';
import { withoutSlash } from '../rule/issuer.js';
import { LEAST_SECRET_LENGTH } from './client-secret-keys.js';
import { ASYMMETRIC_ALGORITHMS, fitsAlgorithm } from './signature-algorithms.js';
import { CONTENT_ENCRYPTION_ALGORITHMS, KEY_MANAGEMENT_ALGORITHMS, type TokenEncryption } from './token-decryption.js';

const ArePrivateKeys = () =>
  Predicate(
    'arePrivateKeys',
    'must be a list of one or more complete private JWKs (RSA, EC or OKP)',
    (value) => Array.isArray(value) && value.length > 0 && value.every(isPrivateKey),
  );

const IsSigningKey = () =>
  Predicate(
    'isSigningKey',
    `must be a complete private JWK whose alg is one of ${ASYMMETRIC_ALGORITHMS.join(', ')}`,
    (value) => isPrivateKey(value) && fitsAlgorithm(value as JWK, (value as JWK).alg ?? ''),
  );

function isPrivateKey(value: unknown): boolean {
  if (!isRecord(value)) return false;
  try {
    createPrivateKey({ key: value as JsonWebKey, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

/** Largest `iatBackdatingSeconds`, seconds. A stolen ID token can be registered for so much longer. */
const MAX_BACKDATING = 600;

const AreIdentifiers = () =>
  EachOf('areIdentifiers', 'must be a text that is not empty', (value) => typeof value === 'string' && value !== '');

/**
 * A client that authenticates with its secret (OpenID Connect Core 1.0 §9).
 *
 * @category Set-up
 */
export interface ClientSecretOptions {
  /**
   * Also verifies ID tokens and logout tokens when `idTokenSignedResponseAlg` is HS256, HS384 or HS512. Keycloak signs
   * these with a key of its own, which no client gets.
   */
  readonly clientSecret: string;
  /**
   * How the secret is sent.
   *
   * @defaultValue 'client_secret_basic'
   */
  readonly method?: 'client_secret_basic' | 'client_secret_post' | undefined;
  /** Not beside a secret. */
  readonly privateKey?: undefined;
  /** Not beside a secret. */
  readonly audience?: undefined;
}

/**
 * What the `aud` of a client's assertions names.
 *
 * @inline
 */
export type AssertionAudience = 'token_endpoint' | 'issuer';

/**
 * A client that authenticates with assertions that it signs itself (`private_key_jwt`, OpenID Connect Core 1.0 §9).
 *
 * @category Set-up
 */
export interface PrivateKeyOptions {
  /** A private JWK (RFC 7517) with its `alg`, such as `RS256` or `ES256`. */
  readonly privateKey: JWK;
  /**
   * The only `aud` of the assertions (RFC 7523 §3). `token_endpoint`: Hydra and Keycloak accept it; the option
   * `endpoints` then needs it. `issuer`: for a provider that accepts only its issuer.
   *
   * @defaultValue 'token_endpoint'
   */
  readonly audience?: AssertionAudience | undefined;
  /** Not beside a private key. */
  readonly clientSecret?: undefined;
  /** Not beside a private key. */
  readonly method?: undefined;
}

/**
 * How a confidential client authenticates at the provider (OpenID Connect Core 1.0 §9): by a secret or a private key.
 *
 * @category Set-up
 */
export type ClientAuthenticationOptions = ClientSecretOptions | PrivateKeyOptions;

/** Checks each member of {@link ClientAuthenticationOptions}; {@link IsClientAuthentication} checks them together. */
class ClientAuthenticationSchema {
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly clientSecret?: unknown;

  @IsOptional()
  @IsIn(['client_secret_basic', 'client_secret_post'])
  readonly method?: unknown;

  @IsOptional()
  @IsSigningKey()
  readonly privateKey?: unknown;

  @IsOptional()
  @IsIn(['token_endpoint', 'issuer'])
  readonly audience?: unknown;
}

const IsClientAuthentication = () =>
  Predicate(
    'isClientAuthentication',
    'must be either { clientSecret, method? } or { privateKey, audience? }',
    // ValidateNested refuses null, and one fault is enough
    (value) => value === null || hasOneCredential(value as ClientAuthenticationSchema),
  );

function hasOneCredential({ clientSecret, method, privateKey, audience }: ClientAuthenticationSchema): boolean {
  if (privateKey === undefined) return clientSecret !== undefined && audience === undefined;
  return clientSecret === undefined && method === undefined;
}

/** How the provider encrypts this client's ID tokens, or its logout tokens (OpenID Connect Core 1.0 §10.2). */
class IdTokenEncryptionSchema {
  /** The only `alg` that the tokens may have. */
  @IsIn(KEY_MANAGEMENT_ALGORITHMS)
  readonly alg!: string;

  /**
   * The only `enc` that the tokens may have.
   *
   * @defaultValue 'A128CBC-HS256'
   */
  @IsIn(CONTENT_ENCRYPTION_ALGORITHMS)
  readonly enc?: string = 'A128CBC-HS256';

  /** Private keys that decrypt the tokens: the newest key, and older keys while OneID may still use them. */
  @ArePrivateKeys()
  readonly privateKeys!: readonly JWK[];
}

/** A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3). */
class EndpointSchema {
  /** Where the provider's signing keys are. */
  @IsEndpoint()
  readonly jwks_uri!: string;

  /** Without it a logout ends the session in this app only, and the browser goes to `returnTo`. */
  @IsOptional()
  @IsEndpoint()
  readonly end_session_endpoint?: string | undefined;

  /** Without it the library can't revoke refresh tokens. */
  @IsOptional()
  @IsEndpoint()
  readonly revocation_endpoint?: string | undefined;

  /** Needed by a client with a private key, unless the audience of its assertions is the issuer. */
  @IsOptional()
  @IsEndpoint()
  readonly token_endpoint?: string | undefined;
}

/** One registration of this app at a provider. */
class ClientSchema {
  /**
   * The provider's URL, such as `https://oauth.example/`. Without `endpoints`, its trailing slash does not matter:
   * discovery gives the exact issuer. With `endpoints`, the `iss` of a token must equal this value exactly.
   */
  @IsProviderUrl()
  // one less than the column: discovery may add a slash to the stored issuer
  @MaxLength(MAX_IDENTIFIER_LENGTH - 1)
  readonly issuer!: string;

  /** The `client_id` of the registration. Tokens name it in `aud`. */
  @IsString()
  @IsNotEmpty()
  @MaxLength(MAX_IDENTIFIER_LENGTH)
  readonly clientId!: string;

  /** A confidential client needs it to revoke refresh tokens. Without this option the client is public (`none`). */
  @IsOptional()
  @IsClientAuthentication()
  @ValidateNested()
  readonly clientAuthentication?: ClientAuthenticationOptions | undefined;

  /**
   * Where OneID sends the browser after a logout: the public URL of this module's `/logout/callback`, exactly as
   * registered at OneID. The library takes its origin as the app's public origin.
   */
  @IsRedirectUri()
  readonly postLogoutRedirectUri!: string;

  /** The provider's endpoints, given by hand. Without this option the library discovers them. */
  @IsOptional()
  @ValidateNested()
  readonly endpoints?: EndpointOptions | undefined;

  /**
   * The only `alg` that ID tokens and logout tokens may have. With HS256, HS384 or HS512 the library verifies them with
   * `clientAuthentication.clientSecret` (at least 32, 48 or 64 bytes), never with the provider's keys. This does not work
   * with Keycloak, which signs them with a key that no client gets.
   *
   * @defaultValue 'RS256'
   */
  @IsIn([...ASYMMETRIC_ALGORITHMS, ...Object.keys(LEAST_SECRET_LENGTH)])
  readonly idTokenSignedResponseAlg?: string = 'RS256';

  /**
   * Accept only ID tokens that are encrypted in this way. It also applies to logout tokens, unless
   * `logoutTokenEncryption` is given. As `id_token_hint` of a logout, the library sends the decrypted ID token, which the
   * provider can read (OpenID Connect Core 1.0 §3.1.2.1).
   */
  @IsOptional()
  @ValidateNested()
  readonly idTokenEncryption?: IdTokenEncryptionOptions | undefined;

  /**
   * Accept only logout tokens that are encrypted in this way; `none`: only logout tokens that are not encrypted. Default:
   * as `idTokenEncryption`, which Back-Channel Logout 1.0 §2.4 recommends to providers. Keycloak encrypts ID tokens, and
   * never logout tokens: it needs `none`.
   */
  @ValidateIf((_options, value) => value !== undefined && value !== 'none')
  @ValidateNested({ message: "$property must be 'none', or an object with alg and privateKeys" })
  readonly logoutTokenEncryption?: 'none' | IdTokenEncryptionOptions | undefined;

  /**
   * Audiences that ID tokens and logout tokens may name beside `clientId` (OpenID Connect Core 1.0 §3.1.3.7), such as
   * the project id that Zitadel adds. A token with any other audience is refused.
   *
   * @defaultValue []
   */
  @IsArray()
  @AreIdentifiers()
  readonly trustedAudiences?: readonly string[] = [];

  /**
   * Clients that an ID token may name in `azp` beside `clientId` (OpenID Connect Core 1.0 §3.1.3.7): for example the
   * mobile app of the same project, which gets ID tokens for this app.
   *
   * @defaultValue []
   */
  @IsArray()
  @AreIdentifiers()
  readonly authorizedParties?: readonly string[] = [];

  /**
   * How far the provider dates `iat` back, seconds: 300 for Microsoft Entra ID, at most 600. An ID token may then be this
   * much older at its sign-in, and a logout token at its receipt. It does not change what a logout ends: a logout bounded
   * by time still ends each sign-in and bearer token whose `iat` it covers, so after one, a user may have to wait this
   * long for a new sign-in.
   *
   * @defaultValue 0
   */
  @IsInt()
  @Min(0)
  @Max(MAX_BACKDATING)
  readonly iatBackdatingSeconds?: number = 0;

  /**
   * Use `http` URLs of the provider that are not on loopback, such as `http://keycloak:8080/realms/x` inside a cluster.
   * The risk: a person who can change traffic on this network can replace the provider's keys, and then sign in as any
   * user; a person who can read it sees refresh tokens and the client's secret.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly allowInsecureRequests?: boolean = false;

  /**
   * Where `state` travels. `parameter`: as its own parameter (RP-Initiated Logout 1.0 §2). `redirectUri`: inside
   * `post_logout_redirect_uri`, as OneID's page shows; the registration must allow it. `both`: in both places.
   *
   * @defaultValue 'parameter'
   */
  @IsIn(['parameter', 'redirectUri', 'both'])
  readonly statePlacement?: 'parameter' | 'redirectUri' | 'both' = 'parameter';

  /**
   * Send `post_logout_redirect_uri` and `state` also in a logout without `id_token_hint`, with the `client_id`
   * (RP-Initiated Logout 1.0 §2): the user comes back although the session has expired or its ID token is not stored.
   * Not for OneID and other Ory Hydra: it answers such a request with an error page, and its login lives on.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly hintlessLogout?: boolean = false;

  /**
   * Which ID tokens a logout sends as `id_token_hint`, by the provider's key that signed them. `newestKey`: only tokens
   * of the key that the provider signs with today, the first in its key set that fits `idTokenSignedResponseAlg`. Ory
   * Hydra answers an older hint with an error page, and its login lives on. `publishedKey`: tokens of each key in the
   * key set, for providers that accept them. Other tokens are never sent: without a hint, the provider asks the user.
   *
   * @defaultValue 'newestKey'
   */
  @IsIn(['newestKey', 'publishedKey'])
  readonly idTokenHint?: 'newestKey' | 'publishedKey' = 'newestKey';

  /**
   * Refuse logout tokens without `exp` (Back-Channel Logout 1.0 §2.4). OneID's logout tokens have no `exp`.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly requireLogoutTokenExp?: boolean = false;

  /**
   * Refuse logout tokens whose `typ` is not `logout+jwt` (Back-Channel Logout 1.0 §2.4). OneID sends `JWT`.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly strictLogoutTokenTyp?: boolean = false;

  /**
   * `session`: a logout of one browser login ends its own sessions. `user`: it ends all sessions of the user.
   *
   * @defaultValue 'session'
   */
  @IsIn(['session', 'user'])
  readonly logoutScope?: 'session' | 'user' = 'session';

  /**
   * The provider may give the `sid` of a login that has ended to a later login of the same browser. After a logout of a
   * `sid`, a sign-in with this `sid` is then accepted if its `auth_time` is later than the `iat` of the logout token, by
   * more than `clockToleranceSeconds` and `iatBackdatingSeconds`. Without this option, or if `auth_time` is missing or
   * equal to the ID token's own `iat`, the `sid` is over for good. It never brings a bearer token back. With `logoutScope:
   * 'user'`, a logout token that names only the `sid` ends the sessions of every user who has signed in with this `sid`.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly reusesSid?: boolean = false;

  /**
   * Do not revoke refresh tokens when a session is ended. The library still erases its own copies.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly keepOfflineTokens?: boolean = false;
}

/**
 * How the provider encrypts this client's ID tokens, or its logout tokens (OpenID Connect Core 1.0 §10.2).
 *
 * @interface
 * @category Set-up
 */
export type IdTokenEncryptionOptions = { [K in keyof IdTokenEncryptionSchema]: IdTokenEncryptionSchema[K] };

/**
 * A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3).
 *
 * @interface
 * @category Set-up
 */
export type EndpointOptions = { [K in keyof EndpointSchema]: EndpointSchema[K] };

/**
 * One registration of this app at a provider. The defaults are for OneID.
 *
 * @interface
 * @category Set-up
 * @example
 * ```ts
 * import { type OneIdClientOptions } from 'nestjs-oneid-logout';
 *
 * // a confidential client: the library can revoke its refresh tokens
 * export const client: OneIdClientOptions = {
 *   issuer: 'https://oauth-qc.vinid.dev/',
 *   clientId: 'my-app',
 *   clientAuthentication: { clientSecret: process.env['ONEID_CLIENT_SECRET'] ?? '' },
 *   postLogoutRedirectUri: 'https://my-app.example/logout/callback',
 * };
 * ```
 */
export type OneIdClientOptions = { [K in keyof ClientSchema]: ClientSchema[K] };

/** How a client authenticates at the provider: the methods of OpenID Connect Core 1.0 §9, each with what it needs. */
export type ClientAuthentication =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientSecret: string }
  | { readonly method: 'private_key_jwt'; readonly privateKey: JWK; readonly audience: AssertionAudience };

type Group = 'clientAuthentication' | 'idTokenEncryption' | 'logoutTokenEncryption' | 'endpoints';

/** A client's options with all defaults filled in. */
export type ResolvedClientOptions = Required<Omit<OneIdClientOptions, Group>> & {
  readonly clientAuthentication: ClientAuthentication;
  /** undefined: the client accepts only ID tokens that are not encrypted. */
  readonly idTokenEncryption?: TokenEncryption | undefined;
  /** undefined: the client accepts only logout tokens that are not encrypted. */
  readonly logoutTokenEncryption?: TokenEncryption | undefined;
  /** undefined: the library discovers them. */
  readonly endpoints?: EndpointOptions | undefined;
};

/** Lays the given client options over the defaults. Does not check them. */
export function clientWithDefaults(given: unknown): ClientSchema | null {
  const encryptionOf = (encryption: unknown) => fill(new IdTokenEncryptionSchema(), encryption, {});
  return fill(new ClientSchema(), given, {
    clientAuthentication: (authentication) => fill(new ClientAuthenticationSchema(), authentication, {}),
    idTokenEncryption: encryptionOf,
    logoutTokenEncryption: (encryption) => (encryption === 'none' ? encryption : encryptionOf(encryption)),
    endpoints: (endpoints) => fill(new EndpointSchema(), endpoints, {}),
  });
}

/**
 * Gives the client's authentication its method, and its logout tokens their encryption. The caller has checked the
 * client before.
 */
export function resolveClient(client: OneIdClientOptions): ResolvedClientOptions {
  const { idTokenEncryption, logoutTokenEncryption = idTokenEncryption } = client;
  return Object.assign({}, client, {
    clientAuthentication: resolveAuthentication(client.clientAuthentication),
    logoutTokenEncryption: logoutTokenEncryption === 'none' ? undefined : logoutTokenEncryption,
  }) as ResolvedClientOptions;
}

function resolveAuthentication(given: ClientAuthenticationOptions | undefined): ClientAuthentication {
  if (given === undefined) return { method: 'none' };
  if (given.privateKey !== undefined) {
    const { privateKey, audience = 'token_endpoint' } = given;
    return { method: 'private_key_jwt', privateKey, audience };
  }
  return { method: given.method ?? 'client_secret_basic', clientSecret: given.clientSecret };
}

/** Faults between options that are valid one by one. */
export function clientFaults(clients: readonly OneIdClientOptions[]): string[] {
  const faults: string[] = [];
  clients.forEach((client, index) => {
    faults.push(...[...urlFaults(client), ...keyFaults(client)].map((fault) => `clients[${index}].${fault}`));
    const siblings = clients
      .slice(0, index)
      .filter((earlier) => withoutSlash(earlier.issuer) === withoutSlash(client.issuer));
    if (siblings.some((earlier) => earlier.clientId === client.clientId)) {
      faults.push(`clients[${index}] has the same issuer and clientId as an earlier client`);
    }
    // one provider has one set of endpoints; with endpoints by hand, the issuers must be equal too, slash included
    if (siblings.some((earlier) => providerOf(earlier) !== providerOf(client))) {
      faults.push(
        `clients[${index}] has the same provider as an earlier client, but another issuer, other endpoints or another allowInsecureRequests`,
      );
    }
  });
  return faults;
}

function urlFaults({ issuer, endpoints, allowInsecureRequests }: OneIdClientOptions): string[] {
  const faults: string[] = [];
  if (/[{}]/.test(issuer)) {
    faults.push(`issuer is ${issuer}, a template. Configure one client for each tenant, with the tenant's own issuer`);
  }
  if (allowInsecureRequests === true) return faults;
  const ofEndpoints = Object.entries(endpoints ?? {}).map(([name, url]) => [`endpoints.${name}`, url] as const);
  for (const [name, url] of [['issuer', issuer] as const, ...ofEndpoints]) {
    if (url === undefined || isSecureUrl(url)) continue;
    const { origin, pathname } = new URL(url);
    faults.push(
      `${name} is ${origin}${pathname}, but must be an https URL (http only on loopback). ` +
        'If you trust this network, set allowInsecureRequests of this client',
    );
  }
  return faults;
}

function keyFaults({ clientAuthentication, endpoints, idTokenSignedResponseAlg = '' }: OneIdClientOptions): string[] {
  const { clientSecret = '', privateKey, audience } = clientAuthentication ?? {};
  const faults: string[] = [];
  const namesEndpoint = privateKey !== undefined && audience !== 'issuer';
  if (namesEndpoint && endpoints !== undefined && endpoints.token_endpoint === undefined) {
    faults.push(
      'endpoints.token_endpoint must be given, because clientAuthentication has a privateKey and its audience is token_endpoint',
    );
  }
  const least = LEAST_SECRET_LENGTH[idTokenSignedResponseAlg] ?? 0;
  if (Buffer.byteLength(clientSecret) < least) {
    const reason = `because idTokenSignedResponseAlg is ${idTokenSignedResponseAlg}`;
    faults.push(`clientAuthentication.clientSecret must have at least ${least} bytes, ${reason}`);
  }
  return faults;
}

function providerOf({ issuer, endpoints, allowInsecureRequests }: OneIdClientOptions): string {
  if (endpoints === undefined) return JSON.stringify(allowInsecureRequests);
  const { jwks_uri, end_session_endpoint, revocation_endpoint, token_endpoint } = endpoints;
  return JSON.stringify([
    ...[allowInsecureRequests, issuer, jwks_uri],
    ...[end_session_endpoint, revocation_endpoint, token_endpoint],
  ]);
}
