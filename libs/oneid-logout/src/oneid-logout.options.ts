import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateBy,
  ValidateIf,
  type ValidationError,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { type JWK } from 'jose';
import { clearCookie, type CookieOptions } from './http/cookies.js';
import { isReturnUrl } from './logout/return-url.js';
import { InvalidOptionsError } from './oneid-logout.errors.js';
import { LEAST_SECRET_LENGTH } from './provider/client-secret-keys.js';
import { withoutSlash } from './provider/issuer.js';
import { CONTENT_ENCRYPTION_ALGORITHMS, KEY_MANAGEMENT_ALGORITHMS } from './provider/token-decryption.js';
import { type RedisConnection } from './replicas/redis-nudges.js';
import { type SessionDatabaseOptions } from './database/session-database.js';
import { type SessionResolver } from './sessions/session-resolvers.js';
import { sqlDialects } from './database/sql-dialect.js';

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

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const Predicate = (name: string, message: string, holds: (value: unknown) => boolean) =>
  ValidateBy({ name, validator: { validate: (value) => holds(value), defaultMessage: () => `$property ${message}` } });

const EachOf = (name: string, message: string, holds: (value: unknown) => boolean) =>
  ValidateBy(
    {
      name,
      validator: { validate: (value) => holds(value), defaultMessage: () => `each value in $property ${message}` },
    },
    { each: true },
  );

/** May be left out or undefined. Not null: class-validator's own `IsOptional` would let it through to where it hurts. */
const IsOptional = () => ValidateIf((_options, value) => value !== undefined);

/** TLS everywhere but on the developer's own machine. */
const IsProviderUrl = () =>
  Predicate(
    'isProviderUrl',
    'must be an https URL without query, fragment or userinfo (http only on loopback)',
    (value) => isSecureUrl(value) && !value.includes('?'),
  );

const IsEndpoint = () =>
  Predicate('isEndpoint', 'must be an https URL without fragment or userinfo (http only on loopback)', isSecureUrl);

const IsRedirectUri = () => Predicate('isRedirectUri', 'must be an http(s) URL without fragment or userinfo', isWebUrl);

const RETURN_URL = 'must be an absolute path ("/goodbye") or an http(s) URL in its normal form';

const IsReturnUrl = () => Predicate('isReturnUrl', RETURN_URL, isReturnUrl);

const AreReturnUrls = () => EachOf('areReturnUrls', RETURN_URL, isReturnUrl);

/** Written out in full: what a browser would have to trim or guess at can't be equal character for character. */
function isWebUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !/^https?:\/\/[^\s\\/?#@][^\s\\#]*$/i.test(value) || !URL.canParse(value))
    return false;
  const { username, password } = new URL(value);
  return username + password === '';
}

function isSecureUrl(value: unknown): value is string {
  if (!isWebUrl(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || LOOPBACK.has(hostname);
}

const IsSessionDatabase = () =>
  Predicate(
    'isSessionDatabase',
    `must be TypeORM options whose type is one of ${Object.keys(sqlDialects).join(', ')}`,
    (value) => isRecord(value) && typeof value['type'] === 'string' && Object.hasOwn(sqlDialects, value['type']),
  );

const IsNudge = () =>
  Predicate(
    'isNudge',
    "must be 'postgres', or { redis } with a redis: or rediss: URL or options of ioredis, and perhaps a channel",
    (value) => value === 'postgres' || isRedisNudge(value),
  );

function isRedisNudge(value: unknown): boolean {
  if (!isRecord(value) || !Object.keys(value).every((name) => name === 'redis' || name === 'channel')) return false;
  const { redis, channel = 'any' } = value;
  if (typeof channel !== 'string' || channel === '') return false;
  return isRecord(redis) || (typeof redis === 'string' && /^rediss?:\/\//.test(redis) && URL.canParse(redis));
}

const IsSessionResolvers = () =>
  Predicate('isSessionResolvers', 'must be a session resolver, or a list of them', (value) =>
    [value].flat().every((resolver) => typeof resolver === 'function'),
  );

const COOKIE_ATTRIBUTES = ['name', 'path', 'domain', 'secure', 'httpOnly', 'sameSite', 'partitioned'];

const AreCookies = () => EachOf('areCookies', `must be a cookie: ${COOKIE_ATTRIBUTES.join(', ')}`, isCookie);

function isCookie(value: unknown): boolean {
  if (!isRecord(value) || typeof value['name'] !== 'string') return false;
  if (!Object.keys(value).every((attribute) => COOKIE_ATTRIBUTES.includes(attribute))) return false;
  try {
    clearCookie(value as unknown as CookieOptions);
    return true;
  } catch {
    return false;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

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

/** Redis as a messenger between replicas. */
export interface RedisNudgeOptions {
  /** A URL (`redis:` or `rediss:`), or options of `ioredis`. */
  readonly redis: RedisConnection;
  /** Of this database: apps that share one are nudged by each other to no purpose, and nothing else. */
  readonly channel?: string;
}

/** Answer from memory, with every replica following the logouts of all. */
class BoundedLivenessSchema {
  /** How old what a replica knows may be, milliseconds. OneID waits for its 200 at least so long. */
  @IsInt()
  @Min(50)
  @Max(60_000)
  readonly maxStaleness!: number;

  /** How many sessions a replica remembers; the others are asked of the database. */
  @IsInt()
  @Min(1)
  readonly maxSessions?: number = 100_000;

  /** Tell OneID 200 at once, for a version with little patience; a replica may then be behind it by `maxStaleness`. */
  @IsBoolean()
  readonly answerAtOnce?: boolean = false;

  /**
   * Has replicas tell each other of logouts, so that they look at once: over PostgreSQL's LISTEN and NOTIFY, or over Redis
   * (with the package `ioredis`; a URL, or its options). A nudge that is lost costs time, at most `maxStaleness`.
   */
  @IsOptional()
  @IsNudge()
  readonly nudge?: 'postgres' | RedisNudgeOptions | undefined;

  /**
   * While the store does not answer, let in for so many milliseconds more what was alive when it last did. OneID waits for
   * its 200 so much longer.
   */
  @IsInt()
  @Min(0)
  // a replica that can't say that it is there is waited for no longer than an hour
  @Max(30 * 60 * 1000)
  readonly allowDuringOutage?: number = 0;
}

/** Options of {@link OneIdLogoutModule}. */
class OptionsSchema {
  /** The app's registrations: one, or several. */
  @IsArray()
  @ArrayNotEmpty()
  @ValidateNested({ each: true })
  readonly clients!: readonly OneIdClientOptions[];

  /**
   * TypeORM options of the database that remembers sessions and logouts. The module opens a connection of its own with
   * them. On SQLite give it a file of its own.
   */
  @IsSessionDatabase()
  readonly database?: SessionDatabaseOptions = { type: 'better-sqlite3', database: 'oneid-logout.sqlite' };

  /** Create and upgrade the tables at boot. */
  @IsBoolean()
  readonly runMigrations?: boolean = true;

  /** How to find the session of a request; several are asked in turn. */
  @IsSessionResolvers()
  readonly sessionFrom?: SessionResolver | readonly SessionResolver[] = [];

  /**
   * Secrets that encrypt ID and refresh tokens at rest, 32 characters or more; the first encrypts, all decrypt. Without
   * any, no token is stored: then pass the ID token to `LogoutService.start()`, and refresh tokens are not revoked.
   */
  @IsArray()
  @IsString({ each: true })
  @MinLength(32, { each: true })
  readonly secrets?: readonly string[] = [];

  /** Absolute limit of a session: seconds. Logouts are remembered a good day longer. */
  @IsInt()
  @Min(60)
  @Max(366 * 24 * 60 * 60)
  readonly maxSessionLifetime?: number = 30 * 24 * 60 * 60;

  /** How far clocks of OneID and this host may be apart: seconds. */
  @IsInt()
  @Min(0)
  @Max(300)
  readonly clockTolerance?: number = 30;

  /**
   * `strict`: the database is asked about every request. Or from memory: `{ maxStaleness: 500 }`; a request that arrives
   * after OneID has its 200 is refused by every replica all the same.
   */
  @ValidateIf(({ liveness }: { liveness: unknown }) => liveness !== 'strict')
  @ValidateNested({ message: "$property must be 'strict', or { maxStaleness } and what goes with it" })
  readonly liveness?: 'strict' | BoundedLivenessOptions = 'strict';

  /**
   * How long a socket or stream may stay open while its replica can't see the logouts of the others, milliseconds; at
   * least `liveness.maxStaleness`. As long as it sees them, it closes what they end within a second or so.
   */
  @IsInt()
  @Min(1_000)
  @Max(24 * 60 * 60 * 1000)
  readonly maxConnectionStaleness?: number = 10_000;

  /** Where the browser lands after a logout, when the logout named no other place. */
  @IsReturnUrl()
  readonly defaultReturnUrl?: string = '/';

  /** Every other place a logout may return to, compared exactly. */
  @IsArray()
  @AreReturnUrls()
  readonly allowedReturnUrls?: readonly string[] = [];

  /** The app's cookies to remove at a logout, with the attributes they were set with. */
  @IsArray()
  @AreCookies()
  readonly clearCookies?: readonly CookieOptions[] = [];

  /**
   * What a browser is told to forget of this app when it comes back from a logout that it has started here
   * (`Clear-Site-Data`); nothing by any other visit of `/logout/callback`. Heeded over https and on loopback only.
   *
   * Without `secrets`, and without an `idTokenHint` for each logout, it does nothing: OneID leads nobody back then.
   *
   * `cookies` removes all cookies of the registrable domain, also those of other apps under it, such as
   * `other.example.com` beside `app.example.com`. For cookies of your own there is `clearCookies`.
   */
  @IsArray()
  @IsIn(['cache', 'cookies', 'storage'], { each: true })
  readonly clearSiteData?: readonly ('cache' | 'cookies' | 'storage')[] = [];

  /**
   * A front-channel request without `iss` and `sid` ends the session that the request itself carries, when the browser
   * says that it is an iframe.
   */
  @IsBoolean()
  readonly frontchannelEndsCarriedSession?: boolean = false;
}

/** The options are checked as classes, and written as plain objects. */
type Plain<T> = { [K in keyof T]: T[K] };

/** A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3). */
export type ProviderMetadataOptions = Plain<ProviderMetadataSchema>;

/** One registration of this app at a provider. */
export type OneIdClientOptions = Plain<ClientSchema>;

/** Answer from memory, with every replica following the logouts of all. */
export type BoundedLivenessOptions = Plain<BoundedLivenessSchema>;

/** Options of {@link OneIdLogoutModule}. */
export type OneIdLogoutOptions = Plain<OptionsSchema>;

type Optional = 'clientSecret' | 'clientAssertionSigningKey' | 'metadata' | 'idTokenEncryptedResponseAlg';

/** A client's options with all defaults filled in. */
export type ResolvedClientOptions = Required<Omit<OneIdClientOptions, Optional>> & Pick<OneIdClientOptions, Optional>;

export type ResolvedLiveness = Required<Omit<BoundedLivenessOptions, 'nudge'>> & Pick<BoundedLivenessOptions, 'nudge'>;

/** The options with all defaults filled in. */
export type ResolvedOptions = Required<Omit<OneIdLogoutOptions, 'clients' | 'sessionFrom' | 'liveness'>> & {
  readonly clients: readonly ResolvedClientOptions[];
  readonly liveness: 'strict' | ResolvedLiveness;
  readonly sessionFrom: readonly SessionResolver[];
};

/** @internal */
export const RESOLVED_OPTIONS = Symbol('oneid-logout resolved options');

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {InvalidOptionsError} with every fault there is
 */
export function resolveOptions(given: OneIdLogoutOptions): ResolvedOptions {
  if (!isRecord(given)) throw new InvalidOptionsError(['the options must be an object']);
  const options = fill(new OptionsSchema(), given, {
    clients: (clients) =>
      Array.isArray(clients)
        ? clients.map((client: unknown) =>
            fill(new ClientSchema(), client, {
              metadata: (metadata) => fill(new ProviderMetadataSchema(), metadata, {}),
            }),
          )
        : clients,
    liveness: (liveness) => (isRecord(liveness) ? fill(new BoundedLivenessSchema(), liveness, {}) : liveness),
  });
  const faults = validateSync(options, { whitelist: true, forbidNonWhitelisted: true }).flatMap((fault) =>
    lines(fault),
  );
  if (faults.length === 0) faults.push(...contradictions(options.clients), ...livenessFaults(options));
  if (faults.length > 0) throw new InvalidOptionsError(faults);
  return Object.assign({}, options, {
    sessionFrom: [options.sessionFrom ?? []].flat(),
    clients: options.clients.map((client) =>
      Object.assign({}, client, {
        tokenEndpointAuthMethod:
          client.tokenEndpointAuthMethod ?? (client.clientSecret === undefined ? 'none' : 'client_secret_basic'),
      }),
    ),
  }) as ResolvedOptions;
}

/** Lays what is given over the defaults; undefined means not given. */
function fill<T extends object>(defaults: T, given: unknown, nested: Record<string, (value: unknown) => unknown>): T {
  if (!isRecord(given)) return given as T;
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) Object.assign(defaults, { [name]: nested[name]?.(value) ?? value });
  }
  return defaults;
}

/** class-validator's findings, each option under its full name. */
function lines(fault: ValidationError, path = ''): string[] {
  const isIndex = /^\d+$/.test(fault.property);
  const name = isIndex ? `${path}[${fault.property}]` : path === '' ? fault.property : `${path}.${fault.property}`;
  const own = Object.entries(fault.constraints ?? {}).map(([constraint, message]) => {
    if (constraint === 'whitelistValidation') return `${name} is not an option`;
    if (message.includes('nested property')) return `${name} must be an object`;
    return message.replace(fault.property, name);
  });
  return [...own, ...(fault.children ?? []).flatMap((child) => lines(child, name))];
}

/** What is fine option by option, but not together. */
function contradictions(clients: readonly OneIdClientOptions[]): string[] {
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

function livenessFaults({ liveness = 'strict', database }: OneIdLogoutOptions): string[] {
  if (liveness === 'strict' || liveness.nudge !== 'postgres' || database?.type === 'postgres') return [];
  return ["liveness.nudge is 'postgres', and database.type is not: give { redis }"];
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
