import {
  Inject,
  Logger,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { MODULE_PATH } from '@nestjs/common/constants.js';
import { ModulesContainer } from '@nestjs/core';
import { BackchannelLogout } from './channels/backchannel-logout.js';
import { FrontchannelLogout } from './channels/frontchannel-logout.js';
import { LogoutTokenVerifier } from './provider/logout-token.js';
import { RegistrationNotice } from './channels/registration-notice.js';
import { Clock } from './clock.js';
import { Random } from './random.js';
import { OpenConnections } from './connections/open-connections.js';
import { ReplicaStatus } from './connections/replica-status.js';
import { SessionConnections } from './connections/session-connections.js';
import { ParserErrors } from './http/parser-errors.js';
import { LogoutService } from './logout/logout.service.js';
import { LogoutStates } from './logout/logout-state.js';
import { RefreshTokenRevoker } from './tokens/refresh-token-revoker.js';
import { nodeNotice } from './node-notice.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './oneid-logout.module-definition.js';
import {
  type OneIdLogoutOptions,
  RESOLVED_OPTIONS,
  type ResolvedOptions,
  resolveOptions,
} from './oneid-logout.options.js';
import { IdTokenVerifier, ID_TOKEN_MAX_AGE } from './provider/id-token.js';
import { OneIdClients } from './provider/oneid-clients.js';
import { ReplicaBarrier } from './replicas/replica-barrier.js';
import { CachedSessionLookup, SESSION_RETENTION } from './replicas/cached-session-lookup.js';
import { SessionLiveness } from './guard/liveness.js';
import { LogoutFollower } from './replicas/logout-follower.js';
import { type LogoutNudges } from './replicas/logout-nudges.js';
import { LogoutRecorder } from './sessions/logout-recorder.js';
import { PostgresNudges } from './replicas/postgres-nudges.js';
import { RedisNudges } from './replicas/redis-nudges.js';
import { ReplicaRepository } from './store/replica.repository.js';
import { SessionAliveGuard } from './guard/session-alive.guard.js';
import { SESSION_LOOKUP, type SessionLookup } from './guard/session-lookup.js';
import { DatabaseConnector } from './database/database-connector.js';
import { SessionDatabase } from './database/session-database.js';
import { LogoutBus } from './sessions/logout-bus.js';
import { SessionEvents } from './sessions/session-events.js';
import { SessionPurge } from './store/session-purge.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { SessionRepository } from './store/session.repository.js';
import { SessionSettings } from './sessions/session-settings.js';
import { ChannelSettings } from './channels/channel-settings.js';
import { GuardSettings } from './guard/guard-settings.js';
import { LogoutSettings } from './logout/logout-settings.js';
import { TokenRepository } from './store/token.repository.js';
import { UncertainLogouts } from './sessions/uncertain-logouts.js';
import { TokenVault } from './tokens/token-vault.js';

const LOGOUT_NUDGES = Symbol('oneid-logout nudges');

/**
 * With strict liveness the database answers every check. This replica then follows the other replicas' logouts only for
 * open connections and `SessionEvents`. Milliseconds.
 */
const FOLLOWED_BY_CONNECTIONS = { maxStalenessMs: 2_000, allowDuringOutageMs: 0 };

/** How long the wait before a 200 may be for every Hydra, milliseconds: Hydra up to v1.9 waits five seconds in all. */
const PROVIDER_PATIENCE = 4_000;

const DAY = 24 * 60 * 60 * 1000;

/**
 * OneID logout in one import. Its controllers answer OneID's logout channels; its exports are for the app's code.
 *
 * @example
 * ```ts
 * OneIdLogoutModule.forRoot({
 *   clients: [{ issuer: 'https://oauth.example/', clientId: 'app', postLogoutRedirectUri: 'https://app.example/logout/callback' }],
 *   sessionFrom: sessionFromCookie('session'),
 * })
 * ```
 */
@Module({
  providers: [
    Clock,
    Random,
    DatabaseConnector,
    {
      provide: RESOLVED_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: OneIdLogoutOptions) => resolveOptions(options),
    },
    {
      provide: OneIdClients,
      inject: [RESOLVED_OPTIONS, Clock],
      useFactory: ({ clients }: ResolvedOptions, clock: Clock) => new OneIdClients(clients, clock),
    },
    {
      provide: IdTokenVerifier,
      inject: [OneIdClients, Clock, RESOLVED_OPTIONS],
      useFactory: (clients: OneIdClients, clock: Clock, { clockToleranceSeconds }: ResolvedOptions) =>
        new IdTokenVerifier(clients, clock, clockToleranceSeconds),
    },
    {
      provide: LogoutTokenVerifier,
      inject: [OneIdClients, Clock, RESOLVED_OPTIONS],
      useFactory: (clients: OneIdClients, clock: Clock, { clockToleranceSeconds }: ResolvedOptions) =>
        new LogoutTokenVerifier(clients, clock, clockToleranceSeconds),
    },
    {
      provide: ChannelSettings,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions): ChannelSettings => options,
    },
    {
      provide: LogoutSettings,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions) => new LogoutSettings(options),
    },
    {
      provide: SessionSettings,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions): SessionSettings => options,
    },
    {
      provide: GuardSettings,
      inject: [RESOLVED_OPTIONS, OneIdClients],
      useFactory: ({ maxSessionLifetimeSeconds, sessionFrom }: ResolvedOptions, clients: OneIdClients) =>
        new GuardSettings(
          maxSessionLifetimeSeconds,
          sessionFrom,
          (issuer) => clients.logoutScopeAt(issuer),
          (issuer, clientId) => clients.find(issuer, clientId) !== undefined,
        ),
    },
    {
      provide: SessionDatabase,
      inject: [RESOLVED_OPTIONS, Clock, DatabaseConnector],
      useFactory: ({ database, runMigrations }: ResolvedOptions, clock: Clock, connector: DatabaseConnector) =>
        SessionDatabase.open(database, runMigrations, { clock, connector }),
    },
    {
      provide: SessionRepository,
      inject: [SessionDatabase, RESOLVED_OPTIONS],
      useFactory: (database: SessionDatabase, { maxSessionLifetimeSeconds, secrets }: ResolvedOptions) =>
        new SessionRepository(database, {
          // the app may register an ID token ID_TOKEN_MAX_AGE after a logout; its session lives maxSessionLifetimeSeconds
          logoutRetention: (maxSessionLifetimeSeconds + ID_TOKEN_MAX_AGE) * 1000 + DAY,
          storesTokens: secrets.length > 0,
        }),
    },
    {
      provide: TokenRepository,
      inject: [SessionDatabase],
      useFactory: (database: SessionDatabase) => new TokenRepository(database),
    },
    {
      provide: TokenVault,
      inject: [TokenRepository, RESOLVED_OPTIONS],
      useFactory: (repository: TokenRepository, { secrets }: ResolvedOptions) => new TokenVault(repository, secrets),
    },
    {
      provide: ReplicaRepository,
      inject: [SessionDatabase],
      useFactory: (database: SessionDatabase) => new ReplicaRepository(database),
    },
    {
      provide: ReplicaBarrier,
      inject: [ReplicaRepository, Clock, RESOLVED_OPTIONS],
      useFactory: (replicas: ReplicaRepository, clock: Clock, { liveness }: ResolvedOptions) =>
        new ReplicaBarrier(replicas, clock, boundOf(liveness), answersAtOnce(liveness)),
    },
    {
      provide: UncertainLogouts,
      inject: [SessionRepository, Clock, Random],
      useFactory: (repository: SessionRepository, clock: Clock, random: Random) =>
        new UncertainLogouts(repository, clock, random),
    },
    {
      provide: LOGOUT_NUDGES,
      inject: [SessionDatabase, Clock, Random, RESOLVED_OPTIONS],
      useFactory: nudgesOf,
    },
    {
      provide: LogoutFollower,
      inject: [
        ...[SessionRepository, ReplicaRepository, LogoutBus, Clock, Random, RESOLVED_OPTIONS],
        { token: LOGOUT_NUDGES, optional: true },
      ],
      useFactory: followerOf,
    },
    {
      provide: SESSION_LOOKUP,
      inject: [SessionRepository, LogoutFollower, Clock, RESOLVED_OPTIONS],
      useFactory: checksOf,
    },
    {
      provide: OpenConnections,
      inject: [LogoutBus, LogoutFollower, SessionLiveness, Clock, Random, RESOLVED_OPTIONS],
      useFactory: openConnectionsOf,
    },
    BackchannelLogout,
    FrontchannelLogout,
    ParserErrors,
    RegistrationNotice,
    LogoutService,
    LogoutStates,
    RefreshTokenRevoker,
    ReplicaStatus,
    LogoutRecorder,
    SessionAliveGuard,
    SessionConnections,
    LogoutBus,
    SessionEvents,
    SessionLiveness,
    SessionPurge,
    SessionRegistry,
  ],
  exports: [
    ...[LogoutService, ReplicaStatus, SessionAliveGuard, SessionConnections, SessionEvents, SessionRegistry],
    // Nest creates a guard in each module that uses it, so the guard's dependency must be visible there
    SessionLiveness,
  ],
})
export class OneIdLogoutModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  constructor(
    private readonly modules: ModulesContainer,
    private readonly database: SessionDatabase,
    private readonly bus: LogoutBus,
    private readonly purge: SessionPurge,
    private readonly revoker: RefreshTokenRevoker,
    private readonly parserErrors: ParserErrors,
    private readonly notice: RegistrationNotice,
    private readonly follower: LogoutFollower,
    private readonly uncertain: UncertainLogouts,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    super();
  }

  /** Adds no middleware. Nest calls it when the HTTP adapter exists and before it mounts the routes. */
  configure(): void {
    this.refuseNamesake();
    this.refuseSamePath();
    this.parserErrors.beforeRoutes();
    this.notice.beforeRoutes();
  }

  onModuleInit(): void {
    this.refuseNamesake();
  }

  async onApplicationBootstrap(): Promise<void> {
    // the host's own migrations have run by now, for example in onModuleInit
    if (!this.options.runMigrations) await this.database.requireTables();
    this.notice.announce(this.path);
    if (this.options.liveness !== 'strict') await this.follower.open();
    // with strict liveness, follow other replicas' logouts only when SessionEvents has a subscriber
    else this.bus.appWatches.subscribe(() => void this.follower.open());
    this.purge.start();
    this.uncertain.start();
    this.warn();
    // also without secrets: revocations that became due while the app had secrets must not stay due for ever
    this.revoker.start();
    this.bus.tokensDue.subscribe(() => void this.revoker.wake());
    void this.revoker.wake();
  }

  /** Warns of settings that are allowed, but that the operator has more often forgotten than intended. */
  private warn(): void {
    const logger = new Logger('OneIdLogout');
    const ofNode = nodeNotice();
    if (ofNode !== undefined) logger.warn(ofNode);
    if (this.options.secrets.length === 0) {
      logger.warn(
        'Without the option secrets the library stores no tokens: after a logout, OneID sends the user back only if start() ' +
          'gets the ID token, and refresh tokens are not revoked.',
      );
    }
    const { liveness } = this.options;
    const wait = answersAtOnce(liveness) ? 0 : boundOf(liveness);
    if (wait > PROVIDER_PATIENCE) {
      logger.warn(
        `OneID has to wait ${wait} ms for every 200 (liveness.maxStalenessMs + allowDuringOutageMs). If OneID waits less, it ` +
          'sends each logout again and again. Lower these options, or set answerAtOnce.',
      );
    }
    if (this.options.database.type === 'better-sqlite3' && process.env['NODE_ENV'] === 'production') {
      logger.warn(
        'Logouts are kept in a SQLite file, and other hosts cannot read it. For several hosts, change the option database.',
      );
    }
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.purge.stop(), this.revoker.stop(), this.uncertain.stop(), this.follower.close()]);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }

  /** Nest would treat two registrations of one class as one, and mount no routes for the second. */
  private refuseNamesake(): void {
    const same = [...this.modules.values()].filter(({ metatype }) => metatype === this.constructor);
    if (same.length === 1) return;
    const { name } = this.constructor;
    throw new Error(
      `${name} is registered ${same.length} times in this app. Name several clients in one registration, or give each ` +
        `registration its own class (class Second extends ${name} {}) and its own path with RouterModule.`,
    );
  }

  /** If two registrations had one path, no request would reach the routes of the second. */
  private refuseSamePath(): void {
    const other = [...this.modules.values()].find(
      ({ metatype }) =>
        metatype !== this.constructor && isRegistration(metatype) && this.pathOf(metatype) === this.path,
    );
    if (other === undefined) return;
    throw new Error(
      `${this.constructor.name} and ${other.metatype.name} have the same path in this app. Give each its own path with RouterModule.`,
    );
  }

  private get path(): string {
    return this.pathOf(this.constructor);
  }

  /** The path that `RouterModule` gives a registration: empty, or with a leading slash. */
  private pathOf(registration: object): string {
    const path: unknown = Reflect.getMetadata(MODULE_PATH + this.modules.applicationId, registration);
    return typeof path === 'string' ? path.replace(/\/$/, '') : '';
  }
}

/** How stale this replica's answers may be, milliseconds. */
function boundOf(liveness: ResolvedOptions['liveness']): number {
  return liveness === 'strict' ? 0 : liveness.maxStalenessMs + liveness.allowDuringOutageMs;
}

function answersAtOnce(liveness: ResolvedOptions['liveness']): boolean {
  return liveness !== 'strict' && liveness.answerAtOnce;
}

function nudgesOf(
  database: SessionDatabase,
  clock: Clock,
  random: Random,
  { liveness }: ResolvedOptions,
): Promise<LogoutNudges> | LogoutNudges | undefined {
  if (liveness === 'strict' || liveness.nudge === undefined) return undefined;
  if (liveness.nudge === 'postgres') return new PostgresNudges(database, clock, random);
  const { redis, channel = 'oneid-logout' } = liveness.nudge;
  return RedisNudges.create(redis, channel, clock, random);
}

function followerOf(
  repository: SessionRepository,
  replicas: ReplicaRepository,
  bus: LogoutBus,
  clock: Clock,
  random: Random,
  { liveness }: ResolvedOptions,
  nudges: LogoutNudges | undefined,
): LogoutFollower {
  const answers = liveness !== 'strict';
  const { maxStalenessMs, allowDuringOutageMs } = answers ? liveness : FOLLOWED_BY_CONNECTIONS;
  const retention = SESSION_RETENTION + allowDuringOutageMs;
  const settings = { answers, maxStalenessMs, allowDuringOutageMs, retention };
  return new LogoutFollower(repository, replicas, bus, clock, random, settings, nudges);
}

function checksOf(
  repository: SessionRepository,
  follower: LogoutFollower,
  clock: Clock,
  { liveness }: ResolvedOptions,
): SessionLookup {
  if (liveness === 'strict') return repository;
  return new CachedSessionLookup(repository, follower, clock, liveness);
}

function openConnectionsOf(
  bus: LogoutBus,
  follower: LogoutFollower,
  liveness: SessionLiveness,
  clock: Clock,
  random: Random,
  { liveness: mode, maxConnectionStalenessMs }: ResolvedOptions,
): OpenConnections {
  return new OpenConnections(bus, follower, liveness, clock, random, Math.max(maxConnectionStalenessMs, boundOf(mode)));
}

function isRegistration(metatype: Type): boolean {
  return metatype === OneIdLogoutModule || metatype.prototype instanceof OneIdLogoutModule;
}
