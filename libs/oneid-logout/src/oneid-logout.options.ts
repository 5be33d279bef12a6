import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateBy,
  type ValidationError,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { type CookieOptions } from './http/cookies.js';
import { isReturnUrl } from './logout/return-url.js';
import { InvalidOptionsError } from './oneid-logout.errors.js';
import { type SessionDatabaseOptions } from './sessions/session-database.js';
import { type SessionResolver } from './sessions/session-resolvers.js';
import { sqlDialects } from './sessions/sql-dialect.js';

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

/** TLS everywhere but on the developer's own machine. */
const IsProviderUrl = () =>
  Predicate(
    'isProviderUrl',
    'must be an https URL without query, fragment or userinfo (http only on loopback)',
    (value) => isSecureUrl(value, (url) => url.search === ''),
  );

const IsEndpoint = () =>
  Predicate('isEndpoint', 'must be an https URL without fragment or userinfo (http only on loopback)', (value) =>
    isSecureUrl(value, () => true),
  );

const IsReturnUrl = (options?: { each: boolean }) =>
  ValidateBy(
    {
      name: 'isReturnUrl',
      validator: {
        validate: (value) => isReturnUrl(value),
        defaultMessage: () => '$property must be an absolute path ("/goodbye") or an http(s) URL in its normal form',
      },
    },
    options,
  );

function isSecureUrl(value: unknown, further: (url: URL) => boolean): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const url = new URL(value);
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
  return secure && url.hash === '' && url.username === '' && url.password === '' && further(url);
}

const IsRedirectUri = () =>
  Predicate('isRedirectUri', 'must be an http(s) URL without fragment or userinfo', (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return false;
    const { protocol, hash, username, password } = new URL(value);
    return (protocol === 'https:' || protocol === 'http:') && hash + username + password === '';
  });

const IsSessionDatabase = () =>
  Predicate(
    'isSessionDatabase',
    `must be TypeORM options whose type is one of ${Object.keys(sqlDialects).join(', ')}`,
    (value) => typeof value === 'object' && value !== null && 'type' in value && String(value.type) in sqlDialects,
  );

const IsSessionResolvers = () =>
  Predicate('isSessionResolvers', 'must be a session resolver, or a list of them', (value) =>
    [value].flat().every((resolver) => typeof resolver === 'function'),
  );

/** A provider's endpoints given by hand, under their wire names (OpenID Connect Discovery 1.0 §3). */
export class ProviderMetadataOptions {
  @IsEndpoint()
  readonly jwks_uri!: string;

  @IsEndpoint()
  readonly end_session_endpoint!: string;

  /** Without it no refresh token can be revoked. */
  @IsOptional()
  @IsEndpoint()
  readonly revocation_endpoint?: string | undefined;
}

/** One registration of this app at a provider. */
export class OneIdClientOptions {
  /** The provider, as in `https://oauth.example/`; the trailing slash does not matter, what discovery says does. */
  @IsProviderUrl()
  @MaxLength(255)
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
  @IsIn(['client_secret_basic', 'client_secret_post', 'none'])
  readonly tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined;

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

  /** The only `alg` that ID tokens and logout tokens may have. */
  @IsIn(ASYMMETRIC_ALGORITHMS)
  readonly idTokenSignedResponseAlg?: string = 'RS256';

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

/** Options of {@link OneIdLogoutModule}. */
export class OneIdLogoutOptions {
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

  /** Where the browser lands after a logout, when the logout named no other place. */
  @IsReturnUrl()
  readonly defaultReturnUrl?: string = '/';

  /** Every other place a logout may return to, compared exactly. */
  @IsArray()
  @IsReturnUrl({ each: true })
  readonly allowedReturnUrls?: readonly string[] = [];

  /** The app's cookies to remove at a logout, with the attributes they were set with. */
  @IsArray()
  @IsObject({ each: true })
  readonly clearCookies?: readonly CookieOptions[] = [];

  /**
   * A front-channel request without `iss` and `sid` ends the session that the request itself carries, when the browser
   * says that it is an iframe.
   */
  @IsBoolean()
  readonly frontchannelEndsCarriedSession?: boolean = false;
}

type Optional = 'clientSecret' | 'metadata';

/** A client's options with all defaults filled in. */
export type ResolvedClientOptions = Required<Omit<OneIdClientOptions, Optional>> & Pick<OneIdClientOptions, Optional>;

/** The options with all defaults filled in. */
export type ResolvedOptions = Required<Omit<OneIdLogoutOptions, 'clients' | 'sessionFrom'>> & {
  readonly clients: readonly ResolvedClientOptions[];
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
  const options = fill(new OneIdLogoutOptions(), given, {
    clients: (clients) =>
      Array.isArray(clients)
        ? clients.map((client: unknown) =>
            fill(new OneIdClientOptions(), client, {
              metadata: (metadata) => fill(new ProviderMetadataOptions(), metadata, {}),
            }),
          )
        : clients,
  });
  const faults = validateSync(options, { whitelist: true, forbidNonWhitelisted: true }).flatMap((fault) =>
    lines(fault),
  );
  if (faults.length === 0) faults.push(...duplicateClients(options.clients));
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
  if (typeof given !== 'object' || given === null) return given as T;
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (value !== undefined) Object.assign(defaults, { [name]: nested[name]?.(value) ?? value });
  }
  return defaults;
}

function lines(fault: ValidationError, path = ''): string[] {
  const isIndex = /^\d+$/.test(fault.property);
  const name = isIndex ? `${path}[${fault.property}]` : path === '' ? fault.property : `${path}.${fault.property}`;
  const own = Object.values(fault.constraints ?? {}).map((message) => message.replace(fault.property, name));
  return [...own, ...(fault.children ?? []).flatMap((child) => lines(child, name))];
}

function duplicateClients(clients: readonly OneIdClientOptions[]): string[] {
  const seen = new Set<string>();
  return clients.flatMap(({ issuer, clientId }, index) => {
    const key = JSON.stringify([issuer.replace(/\/$/, ''), clientId]);
    if (seen.has(key)) return [`clients[${index}] is the same client as one before it`];
    seen.add(key);
    return [];
  });
}
