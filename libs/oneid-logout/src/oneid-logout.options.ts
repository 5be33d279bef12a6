import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsString,
  Max,
  Min,
  MinLength,
  ValidateIf,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { type SessionDatabaseOptions } from './database/data-source-options.js';
import { sqlDialects } from './database/sql-dialect.js';
import { readsClaims, type SessionResolver } from './guard/session-resolvers.js';
import { clearCookie, type CookieOptions } from './http/cookies.js';
import { isReturnUrl } from './http/return-url.js';
import { InvalidOptionsError } from './oneid-logout.errors.js';
import { EachOf, faultLines, fill, IsOptional, isRecord, Predicate } from './option-checks.js';
import {
  clientFaults,
  clientWithDefaults,
  type OneIdClientOptions,
  resolveClient,
  type ResolvedClientOptions,
} from './provider/client-options.js';
import { type ProviderFetch } from './provider/provider-fetch.js';
import { type BoundedLivenessOptions, type Liveness, livenessWithDefaults } from './replicas/liveness-options.js';

const RETURN_URL = 'must be an absolute path ("/goodbye") or an http(s) URL in its normal form';

const AreReturnUrls = () => EachOf('areReturnUrls', RETURN_URL, isReturnUrl);

const IsSessionDatabase = () =>
  Predicate(
    'isSessionDatabase',
    `must be TypeORM options whose type is one of ${Object.keys(sqlDialects).join(', ')}`,
    (value) => isRecord(value) && typeof value['type'] === 'string' && Object.hasOwn(sqlDialects, value['type']),
  );

const IsSessionResolvers = () =>
  Predicate('isSessionResolvers', 'must be a session resolver, or a list of them', (value) =>
    [value].flat().every((resolver) => typeof resolver === 'function'),
  );

const IsFetch = () =>
  Predicate('isFetch', 'must be a function like the global fetch', (value) => typeof value === 'function');

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

/** Options of {@link OneIdLogoutModule}. */
class OptionsSchema {
  /** The app's client registrations at OneID, one or more. */
  @IsArray()
  @ArrayNotEmpty()
  @ValidateNested({ each: true })
  readonly clients!: readonly OneIdClientOptions[];

  /**
   * TypeORM options of the database that stores sessions and logouts. The module opens its own connection with them. On
   * SQLite, do not share the file with the app's data.
   *
   * @defaultValue { type: 'better-sqlite3', database: 'oneid-logout.sqlite' }
   */
  @IsSessionDatabase()
  readonly database?: SessionDatabaseOptions = { type: 'better-sqlite3', database: 'oneid-logout.sqlite' };

  /**
   * How often the boot tries to connect while the database is down, with three seconds in between. `1`: the first
   * failure ends the boot. A wrong password, or a database that does not exist, always ends it at once.
   *
   * @defaultValue 10
   */
  @IsInt()
  @Min(1)
  @Max(1_000)
  readonly connectAttempts?: number = 10;

  /**
   * Create and upgrade the tables at boot.
   *
   * @defaultValue true
   */
  @IsBoolean()
  readonly runMigrations?: boolean = true;

  /**
   * How to find the session of a request. Each of several resolvers that finds something must find a live session, and
   * all of them must name one user. Handlers get the session of the first. {@link SessionAliveGuard} and
   * {@link SessionConnections.accept} need at least one.
   *
   * @defaultValue []
   */
  @IsSessionResolvers()
  readonly sessionFrom?: SessionResolver | readonly SessionResolver[] = [];

  /**
   * Secrets that encrypt ID and refresh tokens at rest, each at least 32 characters. The first encrypts, all decrypt.
   * Without secrets the library stores no token and revokes no refresh token: pass the ID token to
   * `LogoutService.start()`.
   *
   * @defaultValue []
   */
  @IsArray()
  @IsString({ each: true })
  @MinLength(32, { each: true })
  readonly secrets?: readonly string[] = [];

  /**
   * Maximum lifetime of a session, seconds. Logouts are kept longer: by one day, five minutes, and the largest
   * `iatBackdatingSeconds` of a client. From 60 seconds to 366 days.
   *
   * @defaultValue 30 * 24 * 60 * 60
   */
  @IsInt()
  @Min(60)
  @Max(366 * 24 * 60 * 60)
  readonly maxSessionLifetimeSeconds?: number = 30 * 24 * 60 * 60;

  /**
   * How many sessions a user may have at one client, from 1 to 1,000. A sign-in beyond it ends the user's oldest sessions at
   * this client; {@link SessionRegistry.register} returns when they have ended. The channel of their logouts is `replaced`.
   * Bearer tokens that were never registered do not count. Without the option, a user may have any number.
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1_000)
  readonly maxSessionsPerUser?: number | undefined;

  /**
   * How long a registered session may be unused, seconds: from 60 seconds to 366 days, and less than
   * `maxSessionLifetimeSeconds`. Then it is over, with the reason `idle`; never later, and at most a tenth of the time
   * early, or 20 minutes if that is less. A request that the guard lets through is a use, and so is a message over a socket,
   * but not a stream and not a route with {@link NotActivity}. Without the option, only the lifetime limits a session.
   */
  @IsOptional()
  @IsInt()
  @Min(60)
  @Max(366 * 24 * 60 * 60)
  readonly maxIdleSeconds?: number | undefined;

  /**
   * How far OneID's clock may differ from this host's clock or the database's clock, seconds: from 0 to 300.
   *
   * @defaultValue 30
   */
  @IsInt()
  @Min(0)
  @Max(300)
  readonly clockToleranceSeconds?: number = 30;

  /**
   * Sends the library's requests to the provider (discovery, keys, revocation) in place of the global `fetch`, for
   * example through a proxy. The library follows no redirect, and limits the time and the size of each answer, also with
   * this function.
   */
  @IsOptional()
  @IsFetch()
  readonly fetch?: ProviderFetch | undefined;

  /**
   * `strict`: the guard asks the database for every request. `{ maxStalenessMs: 500 }` (milliseconds): the guard answers
   * from memory. In both modes, every replica refuses an ended session's request that arrives after OneID has its 200;
   * only `answerAtOnce` weakens this.
   *
   * @defaultValue 'strict'
   */
  @ValidateIf(({ liveness }: { liveness: unknown }) => liveness !== 'strict')
  @ValidateNested({ message: "$property must be 'strict', or an object with maxStalenessMs" })
  readonly liveness?: 'strict' | BoundedLivenessOptions = 'strict';

  /**
   * The length of an outage, seconds. When no replica could record OneID's logouts for longer, the library ends all sessions
   * of before, with the reason `unconfirmed`. OneID decides at the next sign-in who is still signed in. Replicas write every few
   * seconds that they can record logouts. Give all replicas of a database the same value: whole seconds from 5 to one
   * day. By default, an outage ends no session.
   */
  @IsOptional()
  @IsInt()
  @Min(5)
  @Max(24 * 60 * 60)
  readonly reconfirmAfterOutageSeconds?: number | undefined;

  /**
   * How long a socket or stream may stay open while its replica can't see the other replicas' logouts, milliseconds. A
   * value below `maxStalenessMs` plus `allowDuringOutageMs` of `liveness` counts as this sum. While the replica sees the
   * logouts, it closes an ended session's sockets and streams within about a second, or `maxStalenessMs` if longer. From
   * 1,000 to one day.
   *
   * @defaultValue 10_000
   */
  @IsInt()
  @Min(1_000)
  @Max(24 * 60 * 60 * 1000)
  readonly maxConnectionStalenessMs?: number = 10_000;

  /**
   * All URLs that a logout may return to. The library compares them exactly. The browser lands at the first one when the
   * logout names no `returnTo`.
   *
   * @defaultValue ['/']
   */
  @IsArray()
  @ArrayNotEmpty()
  @AreReturnUrls()
  readonly returnUrls?: readonly string[] = ['/'];

  /**
   * The app's cookies to remove at a logout, with the attributes they were set with.
   *
   * @defaultValue []
   */
  @IsArray()
  @AreCookies()
  readonly clearCookies?: readonly CookieOptions[] = [];

  /**
   * Data of this app that the browser clears when it comes back from a logout that it started here (`Clear-Site-Data`).
   * Other visits to `/logout/callback` clear no data. Browsers obey this header only over https and on loopback.
   *
   * It needs `secrets`, or an `idTokenHint` for each logout; otherwise OneID does not send the browser back.
   *
   * `cookies` removes all cookies of the registrable domain. Used on `app.example.com`, it also removes the cookies of
   * `other.example.com`. To remove only your own cookies, use `clearCookies`.
   *
   * @defaultValue []
   */
  @IsArray()
  @IsIn(['cache', 'cookies', 'storage'], { each: true })
  readonly clearSiteData?: readonly ('cache' | 'cookies' | 'storage')[] = [];

  /**
   * A front-channel request without `iss` and `sid` ends the session that the request itself carries, if the browser
   * says that the request comes from an iframe (`Sec-Fetch-Dest`). In Chromium, a service worker of the app that passes
   * navigations on hides this, and the session then stays: let it leave `/frontchannel_logout` alone.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly frontchannelEndsCarriedSession?: boolean = false;
}

/**
 * Options of {@link OneIdLogoutModule}. Only `clients` is required; the guard also needs `sessionFrom`.
 *
 * @interface
 * @category Set-up
 * @example
 * ```ts
 * import { type OneIdLogoutOptions, sessionFromCookie } from 'nestjs-oneid-logout';
 *
 * const issuer = 'https://oauth-qc.vinid.dev/';
 * const postLogoutRedirectUri = 'https://my-app.example/logout/callback';
 * const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS } = process.env;
 *
 * export const options: OneIdLogoutOptions = {
 *   clients: [{ issuer, clientId: 'my-app', postLogoutRedirectUri }],
 *   database: { type: 'postgres', url },
 *   secrets: APP_SECRETS?.split(',') ?? [], // at least 32 characters each
 *   sessionFrom: sessionFromCookie('__Host-session'),
 *   liveness: { maxStalenessMs: 500, nudge: 'postgres' },
 *   returnUrls: ['/', '/goodbye'],
 *   clearCookies: [{ name: '__Host-session', path: '/', secure: true }],
 * };
 * ```
 */
export type OneIdLogoutOptions = { [K in keyof OptionsSchema]: OptionsSchema[K] };

/** The options with all defaults filled in. */
export type ResolvedOptions = Required<
  Omit<
    OneIdLogoutOptions,
    | 'clients'
    | 'sessionFrom'
    | 'liveness'
    | 'maxSessionsPerUser'
    | 'maxIdleSeconds'
    | 'reconfirmAfterOutageSeconds'
    | 'fetch'
  >
> & {
  readonly clients: readonly ResolvedClientOptions[];
  readonly liveness: Liveness;
  readonly sessionFrom: readonly SessionResolver[];
  /** undefined: any number. */
  readonly maxSessionsPerUser?: number | undefined;
  /** undefined: a session may be unused for as long as it lives. */
  readonly maxIdleSeconds?: number | undefined;
  /** undefined: the global `fetch`. */
  readonly fetch?: ProviderFetch | undefined;
  /** undefined: an outage ends no session. */
  readonly reconfirmAfterOutageSeconds?: number | undefined;
};

/** @internal */
export const RESOLVED_OPTIONS = Symbol('oneid-logout resolved options');

const BESIDE =
  'is inside the options, but Nest needs it before it makes them. Put it beside useFactory, useClass or useExisting';
const FOR_ASYNC = 'is for forRootAsync(), and forRoot() does not read it. Call forRootAsync() instead';

/** What belongs beside the options, or to the other method, and where to put it. */
const misplaced: Readonly<Record<string, string>> = {
  isGlobal: `${BESIDE}: forRootAsync({ isGlobal: false, useFactory })`,
  routeDecorators: `${BESIDE}: forRootAsync({ routeDecorators: [Public()], useFactory })`,
  useFactory: FOR_ASYNC,
  useClass: FOR_ASYNC,
  useExisting: FOR_ASYNC,
};

/**
 * Checks the options and fills in the defaults.
 *
 * @param given undefined: the app imports the class of the module itself
 * @throws {InvalidOptionsError} lists all faults; faults between options only when each option is valid by itself
 */
export function resolveOptions(given: OneIdLogoutOptions | undefined): ResolvedOptions {
  if (given === undefined) throw new InvalidOptionsError([BARE_CLASS]);
  const elsewhere = faultsOfMisplaced(given);
  const options = fill(new OptionsSchema(), given, {
    clients: (clients) => (Array.isArray(clients) ? clients.map(clientWithDefaults) : clients),
    liveness: livenessWithDefaults,
  });
  if (options === null) throw new InvalidOptionsError(['the options must be an object']);
  const checked = validateSync(options, { whitelist: true, forbidNonWhitelisted: true });
  const faults = [
    ...elsewhere,
    ...checked.filter(({ property }) => !Object.hasOwn(misplaced, property)).flatMap((fault) => faultLines(fault)),
  ];
  if (faults.length === 0)
    faults.push(...clientFaults(options.clients), ...livenessFaults(options), ...idleFaults(options));
  if (faults.length > 0) throw new InvalidOptionsError(faults);
  return Object.assign({}, options, {
    sessionFrom: [options.sessionFrom ?? []].flat(),
    clients: options.clients.map(resolveClient),
  }) as ResolvedOptions;
}

const BARE_CLASS =
  'a module of the app imports the class OneIdLogoutModule itself, without options. Import OneIdLogoutModule.forRoot({ … }) ' +
  'or .forRootAsync({ … }) in one module, and nothing in the others: its exports are available everywhere';

function faultsOfMisplaced(given: unknown): string[] {
  return Object.entries(isRecord(given) ? given : {}).flatMap(([name, value]) => {
    const where = Object.hasOwn(misplaced, name) ? misplaced[name] : undefined;
    return where === undefined || value === undefined ? [] : [`${name} ${where}`];
  });
}

function livenessFaults({ liveness = 'strict', database }: OneIdLogoutOptions): string[] {
  if (liveness === 'strict' || liveness.nudge !== 'postgres' || database?.type === 'postgres') return [];
  return ["liveness.nudge is 'postgres', but database.type is not: use { redis }"];
}

function idleFaults({
  maxIdleSeconds,
  maxSessionLifetimeSeconds = Infinity,
  sessionFrom = [],
}: OneIdLogoutOptions): string[] {
  if (maxIdleSeconds === undefined) return [];
  const resolvers = [sessionFrom].flat();
  return [
    ...(maxIdleSeconds < maxSessionLifetimeSeconds
      ? []
      : ['maxIdleSeconds must be less than maxSessionLifetimeSeconds, otherwise it has no effect']),
    ...(resolvers.length > 0 && resolvers.every(readsClaims)
      ? ['maxIdleSeconds needs registered sessions, and sessionFrom finds only verified tokens (sessionFromClaims)']
      : []),
  ];
}
