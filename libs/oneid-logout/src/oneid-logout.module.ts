import {
  Inject,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { bootProviders, BootReport } from './boot/boot-report.js';
import { BootSettings } from './boot/boot-settings.js';
import { AnswerTimes } from './channels/answer-time.js';
import { BackchannelLogout } from './channels/backchannel-logout.js';
import { ChannelSettings } from './channels/channel-settings.js';
import { FrontchannelLogout } from './channels/frontchannel-logout.js';
import { Clock } from './clock.js';
import { OpenConnections } from './connections/open-connections.js';
import { ReplicaStatus } from './connections/replica-status.js';
import { SessionConnections } from './connections/session-connections.js';
import { DatabaseConnector } from './database/database-connector.js';
import { SessionDatabase } from './database/session-database.js';
import { GuardSettings } from './guard/guard-settings.js';
import { SessionJudge } from './guard/session-judge.js';
import { SessionAliveGuard } from './guard/session-alive.guard.js';
import { servesHttp, whenListening } from './http/http-server.js';
import { ParserErrors } from './http/parser-errors.js';
import { LogoutSettings } from './logout/logout-settings.js';
import { LogoutStates } from './logout/logout-state.js';
import { LogoutService } from './logout/logout.service.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './oneid-logout.module-definition.js';
import {
  type OneIdLogoutOptions,
  RESOLVED_OPTIONS,
  type ResolvedOptions,
  resolveOptions,
} from './oneid-logout.options.js';
import { IdTokenVerifier, maxSignInAge } from './provider/id-token.js';
import { LogoutTokenVerifier } from './provider/logout-token.js';
import { Measures } from './measures/measures.js';
import { OneIdClients } from './provider/oneid-clients.js';
import { ProviderSigningKeys } from './provider/provider-signing-keys.js';
import { TokenTimes } from './provider/token-times.js';
import { Random } from './random.js';
import { IDLE_LIMIT, IdleLimit } from './rule/idle-limit.js';
import { ModuleRegistrations } from './registrations.js';
import { type Liveness, LIVENESS, stalenessBoundMs } from './replicas/liveness-options.js';
import { LogoutFollower } from './replicas/logout-follower.js';
import { replicaProviders } from './replicas/replica-providers.js';
import { ActivityRepository } from './store/activity.repository.js';
import { IdleSessions } from './store/idle-sessions.js';
import { IdleEnds } from './sessions/idle-ends.js';
import { SessionActivity } from './sessions/session-activity.js';
import { LogoutInbox } from './sessions/logout-inbox.js';
import { BackchannelWatch } from './sessions/backchannel-watch.js';
import { OUTAGE_SETTINGS, type OutageSettings, OutageWatch } from './sessions/outage-watch.js';
import { LogoutBus } from './sessions/logout-bus.js';
import { LogoutRecorder } from './sessions/logout-recorder.js';
import { SessionEvents } from './sessions/session-events.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { SessionSettings } from './sessions/session-settings.js';
import { UncertainLogouts } from './sessions/uncertain-logouts.js';
import { UndecidedTokens } from './sessions/undecided-tokens.js';
import { RevocationQueue } from './store/revocation-queue.js';
import { OldRows } from './store/old-rows.js';
import { SessionPurge } from './store/session-purge.js';
import { UserData } from './store/user-data.js';
import { SessionRepository } from './store/session.repository.js';
import { TokenRepository } from './store/token.repository.js';
import { RefreshTokenRevoker } from './tokens/refresh-token-revoker.js';
import { TokenVault } from './tokens/token-vault.js';

const DAY = 24 * 60 * 60 * 1000;

/**
 * OneID logout in one import. Its controllers answer OneID: `POST /backchannel_logout`, `GET /frontchannel_logout` and
 * `GET /logout/callback`, below the app's global prefix and versions. Its exports are for the app's code:
 * {@link LogoutService}, {@link SessionRegistry}, {@link SessionAliveGuard}, {@link SessionConnections},
 * {@link SessionEvents}, {@link ProviderSigningKeys} and {@link ReplicaStatus}.
 *
 * `forRoot` takes {@link OneIdLogoutOptions} and, in the same object, {@link OneIdLogoutExtras}. `forRootAsync` takes the
 * extras, and makes the options with `useFactory`, `useClass` or `useExisting` ({@link OneIdLogoutOptionsFactory}).
 *
 * At boot the module checks the options, opens its database and migrates it. It throws {@link InvalidOptionsError} or
 * {@link UnusableDatabaseError}, so that an app with a fault does not start.
 *
 * @category Set-up
 * @hideconstructor
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { OneIdLogoutModule, sessionFromCookie } from 'nestjs-oneid-logout';
 *
 * const issuer = 'https://oauth-qc.vinid.dev/';
 * const postLogoutRedirectUri = 'https://my-app.example/logout/callback';
 * const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS } = process.env;
 *
 * @Module({
 *   imports: [
 *     OneIdLogoutModule.forRoot({
 *       clients: [{ issuer, clientId: 'my-app', postLogoutRedirectUri }],
 *       database: { type: 'postgres', url },
 *       secrets: APP_SECRETS?.split(',') ?? [], // at least 32 characters each
 *       sessionFrom: sessionFromCookie('__Host-session'),
 *     }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 * @example With ConfigService
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { ConfigModule, ConfigService } from '@nestjs/config';
 * import { OneIdLogoutModule, sessionFromCookie } from 'nestjs-oneid-logout';
 *
 * @Module({
 *   imports: [
 *     ConfigModule.forRoot(),
 *     OneIdLogoutModule.forRootAsync({
 *       imports: [ConfigModule],
 *       inject: [ConfigService],
 *       useFactory: (config: ConfigService) => ({
 *         clients: [
 *           {
 *             issuer: config.getOrThrow<string>('ONEID_ISSUER'),
 *             clientId: config.getOrThrow<string>('ONEID_CLIENT_ID'),
 *             postLogoutRedirectUri: config.getOrThrow<string>('ONEID_POST_LOGOUT_REDIRECT_URI'),
 *           },
 *         ],
 *         database: { type: 'postgres', url: config.getOrThrow<string>('DATABASE_URL') },
 *         sessionFrom: sessionFromCookie('__Host-session'),
 *       }),
 *     }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 */
@Module({
  providers: [
    Clock,
    Random,
    DatabaseConnector,
    { provide: Measures, inject: [Clock], useFactory: (clock: Clock) => Measures.create(clock) },
    {
      provide: RESOLVED_OPTIONS,
      inject: [{ token: MODULE_OPTIONS_TOKEN, optional: true }],
      useFactory: (options?: OneIdLogoutOptions) => resolveOptions(options),
    },
    {
      provide: OneIdClients,
      inject: [RESOLVED_OPTIONS, Clock],
      useFactory: ({ clients, fetch }: ResolvedOptions, clock: Clock) => new OneIdClients(clients, clock, fetch),
    },
    {
      provide: TokenTimes,
      inject: [Clock, RESOLVED_OPTIONS, SessionRepository],
      useFactory: (clock: Clock, { clockToleranceSeconds }: ResolvedOptions, repository: SessionRepository) =>
        new TokenTimes(clock, clockToleranceSeconds, () => repository.findNow()),
    },
    {
      provide: IdTokenVerifier,
      inject: [OneIdClients, TokenTimes],
      useFactory: (clients: OneIdClients, times: TokenTimes) => new IdTokenVerifier(clients, times),
    },
    {
      provide: LogoutTokenVerifier,
      inject: [OneIdClients, TokenTimes],
      useFactory: (clients: OneIdClients, times: TokenTimes) => new LogoutTokenVerifier(clients, times),
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
      useFactory: (
        { maxSessionLifetimeSeconds, maxIdleSeconds, sessionFrom }: ResolvedOptions,
        clients: OneIdClients,
      ) =>
        new GuardSettings(
          maxSessionLifetimeSeconds,
          sessionFrom,
          (issuer) => clients.logoutScopeOf(issuer),
          (issuer, clientId) => clients.find(issuer, clientId) !== undefined,
          maxIdleSeconds === undefined ? undefined : maxIdleSeconds * 1000,
        ),
    },
    {
      provide: IDLE_LIMIT,
      inject: [RESOLVED_OPTIONS],
      useFactory: ({ maxIdleSeconds }: ResolvedOptions) =>
        maxIdleSeconds === undefined ? undefined : new IdleLimit(maxIdleSeconds * 1000),
    },
    {
      provide: SessionActivity,
      inject: [SessionDatabase, IDLE_LIMIT, Clock, Random],
      useFactory: sessionActivityOf,
    },
    {
      provide: IdleEnds,
      inject: [SessionRepository, SessionDatabase, LogoutRecorder, IDLE_LIMIT, GuardSettings, Clock, Random],
      useFactory: idleEndsOf,
    },
    {
      provide: SessionDatabase,
      inject: [RESOLVED_OPTIONS, Clock, DatabaseConnector],
      useFactory: (options: ResolvedOptions, clock: Clock, connector: DatabaseConnector) => {
        const { database, runMigrations, connectAttempts } = options;
        return SessionDatabase.open(database, runMigrations, { clock, connector, connectAttempts });
      },
    },
    {
      provide: SessionRepository,
      inject: [SessionDatabase, RESOLVED_OPTIONS, IDLE_LIMIT],
      useFactory: (database: SessionDatabase, options: ResolvedOptions, idleLimit: IdleLimit | undefined) =>
        new SessionRepository(database, {
          logoutRetention: logoutRetentionOf(options),
          storesTokens: options.secrets.length > 0,
          idleLimit,
        }),
    },
    {
      provide: OldRows,
      inject: [SessionDatabase],
      useFactory: (database: SessionDatabase) => new OldRows(database),
    },
    {
      provide: UserData,
      inject: [SessionDatabase, RESOLVED_OPTIONS],
      useFactory: (database: SessionDatabase, { secrets }: ResolvedOptions) =>
        new UserData(database, { storesTokens: secrets.length > 0 }),
    },
    {
      provide: TokenRepository,
      inject: [SessionDatabase],
      useFactory: (database: SessionDatabase) => new TokenRepository(database),
    },
    {
      provide: RevocationQueue,
      inject: [SessionDatabase, RESOLVED_OPTIONS],
      useFactory: (database: SessionDatabase, options: ResolvedOptions) =>
        new RevocationQueue(database, { logoutRetention: logoutRetentionOf(options) }),
    },
    {
      provide: TokenVault,
      inject: [TokenRepository, RESOLVED_OPTIONS],
      useFactory: (repository: TokenRepository, { secrets }: ResolvedOptions) => new TokenVault(repository, secrets),
    },
    {
      provide: UncertainLogouts,
      inject: [SessionRepository, Clock, Random],
      useFactory: (repository: SessionRepository, clock: Clock, random: Random) =>
        new UncertainLogouts(repository, clock, random),
    },
    {
      provide: OpenConnections,
      inject: [LogoutBus, LogoutFollower, SessionJudge, SessionRepository, Clock, Random, RESOLVED_OPTIONS],
      useFactory: openConnectionsOf,
    },
    {
      provide: LIVENESS,
      inject: [RESOLVED_OPTIONS],
      useFactory: ({ liveness }: ResolvedOptions): Liveness => liveness,
    },
    {
      provide: OUTAGE_SETTINGS,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions): OutageSettings => options,
    },
    ...replicaProviders,
    ...bootProviders,
    {
      provide: BootSettings,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions): BootSettings => options,
    },
    AnswerTimes,
    BackchannelLogout,
    FrontchannelLogout,
    BackchannelWatch,
    ParserErrors,
    ProviderSigningKeys,
    LogoutService,
    LogoutStates,
    RefreshTokenRevoker,
    ReplicaStatus,
    LogoutRecorder,
    LogoutInbox,
    UndecidedTokens,
    SessionAliveGuard,
    SessionConnections,
    LogoutBus,
    SessionEvents,
    SessionJudge,
    SessionPurge,
    SessionRegistry,
  ],
  exports: [
    ...[
      LogoutService,
      ProviderSigningKeys,
      ReplicaStatus,
      SessionAliveGuard,
      SessionConnections,
      SessionEvents,
      SessionRegistry,
    ],
    // Nest creates a guard in each module that uses it, so the guard's dependency must be visible there
    SessionJudge,
  ],
})
export class OneIdLogoutModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  private readonly registrations: ModuleRegistrations;

  constructor(
    modules: ModulesContainer,
    private readonly database: SessionDatabase,
    private readonly bus: LogoutBus,
    private readonly purge: SessionPurge,
    private readonly revoker: RefreshTokenRevoker,
    private readonly parserErrors: ParserErrors,
    private readonly report: BootReport,
    private readonly follower: LogoutFollower,
    private readonly uncertain: UncertainLogouts,
    private readonly undecided: UndecidedTokens,
    private readonly inbox: LogoutInbox,
    private readonly watch: BackchannelWatch,
    private readonly outages: OutageWatch,
    private readonly adapterHost: HttpAdapterHost,
    private readonly measures: Measures,
    private readonly status: ReplicaStatus,
    private readonly revocations: RevocationQueue,
    private readonly repository: SessionRepository,
    private readonly clients: OneIdClients,
    @Inject(SessionActivity) private readonly activity: SessionActivity | undefined,
    @Inject(IdleEnds) private readonly idleEnds: IdleEnds | undefined,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    super();
    this.registrations = new ModuleRegistrations(modules, OneIdLogoutModule, this.constructor as Type);
  }

  /** @internal Adds no middleware. Nest calls it when the HTTP adapter exists and before it mounts the routes. */
  configure(): void {
    this.registrations.refuseNamesake();
    this.registrations.refuseSamePath();
    this.parserErrors.beforeRoutes();
    this.report.beforeRoutes();
  }

  /** @internal */
  onModuleInit(): void {
    this.registrations.refuseNamesake();
  }

  /** @internal */
  async onApplicationBootstrap(): Promise<void> {
    // the host's own migrations have run by now, for example in onModuleInit
    if (!this.options.runMigrations) await this.database.requireTables();
    // an older version may have registered the sessions of these clients: it does not remember the clients
    for (const { issuer, clientId } of this.clients.all) await this.repository.rememberClient(issuer, clientId);
    this.measure();
    // a process without HTTP takes no logouts, and a boot may fail before the app listens
    if (servesHttp(this.adapterHost)) this.outages.start();
    if (this.outages.isOn) whenListening(this.adapterHost, () => void this.outages.wake());
    if (this.options.liveness !== 'strict') await this.follower.open();
    // with strict liveness, follow other replicas' logouts only when SessionEvents has a subscriber; or when a connection
    // is open, which OpenConnections notices
    else this.bus.appSubscribed.subscribe(() => void this.follower.open());
    this.purge.start();
    this.uncertain.start();
    this.undecided.start();
    this.inbox.start();
    this.watch.start();
    this.activity?.start();
    this.idleEnds?.start();
    // also without secrets: revocations that became due while the app had secrets must not stay due for ever
    this.revoker.start();
    this.bus.tokensDue.subscribe(() => void this.revoker.wake());
    void this.revoker.wake();
    await this.report.write(this.registrations);
  }

  /** @internal */
  async onModuleDestroy(): Promise<void> {
    this.measures.stop();
    const jobs = [this.purge, this.revoker, this.uncertain, this.watch];
    await Promise.all([...jobs.map((job) => job.stop()), this.idleEnds?.stop(), this.follower.close()]);
  }

  private measure(): void {
    const readings = {
      status: () => this.status.read(),
      pendingRevocations: () => this.revocations.countDue(),
    };
    this.measures.start(readings, this.registrations.ownName);
    // the bus emits while the request that has caused the logout is the active span
    this.bus.ownLogouts.subscribe((logouts) => this.measures.rememberRecorded(logouts));
  }

  /** @internal Nest calls it when the HTTP server is closed, so no logout comes any more. */
  async onApplicationShutdown(): Promise<void> {
    // OneID may be slow to answer, and the verified logouts need not wait for it
    await Promise.all([this.inbox.recordKept(), this.undecided.stop()]);
    await Promise.all([this.inbox.stop(), this.activity?.stop()]);
    await this.outages.close();
    await this.database.close();
    this.report.close();
  }
}

function openConnectionsOf(
  bus: LogoutBus,
  follower: LogoutFollower,
  judge: SessionJudge,
  repository: SessionRepository,
  clock: Clock,
  random: Random,
  { liveness, maxConnectionStalenessMs }: ResolvedOptions,
): OpenConnections {
  const maxStalenessMs = Math.max(maxConnectionStalenessMs, stalenessBoundMs(liveness));
  return new OpenConnections(bus, follower, judge, repository, clock, random, maxStalenessMs);
}

function sessionActivityOf(
  database: SessionDatabase,
  limit: IdleLimit | undefined,
  clock: Clock,
  random: Random,
): SessionActivity | undefined {
  return limit && new SessionActivity(new ActivityRepository(database, limit), limit, clock, random);
}

function idleEndsOf(
  repository: SessionRepository,
  database: SessionDatabase,
  recorder: LogoutRecorder,
  limit: IdleLimit | undefined,
  { isConfiguredClient }: GuardSettings,
  clock: Clock,
  random: Random,
): IdleEnds | undefined {
  const sessions = new IdleSessions(database);
  return limit && new IdleEnds(repository, sessions, recorder, limit, isConfiguredClient, clock, random);
}

/** How long a logout is kept, milliseconds. */
function logoutRetentionOf({ clients, maxSessionLifetimeSeconds }: ResolvedOptions): number {
  // the app may register an ID token so long after a logout; its session lives maxSessionLifetimeSeconds
  return (maxSessionLifetimeSeconds + Math.max(...clients.map(maxSignInAge))) * 1000 + DAY;
}
