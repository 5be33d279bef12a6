import { Measures } from '../../libs/oneid-logout/src/measures/measures.js';
import { type SqlParameter, type SqlRow } from '../../libs/oneid-logout/src/database/sql.js';
import { createHash, randomUUID } from 'node:crypto';
import { type TestDatabase } from './databases.js';
import { Random } from '../../libs/oneid-logout/src/random.js';
import { TestClock } from './test-clock.js';
import { IdTokenVerifier, type VerifiedIdToken } from '../../libs/oneid-logout/src/provider/id-token.js';
import { OneIdClients } from '../../libs/oneid-logout/src/provider/oneid-clients.js';
import { GuardSettings } from '../../libs/oneid-logout/src/guard/guard-settings.js';
import { SessionJudge } from '../../libs/oneid-logout/src/guard/session-judge.js';
import { TokenTimes } from '../../libs/oneid-logout/src/provider/token-times.js';
import { type VerifiedLogoutToken } from '../../libs/oneid-logout/src/provider/logout-token.js';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { type RunOptions, SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { StoreUnavailableError } from '../../libs/oneid-logout/src/oneid-logout.errors.js';
import { LogoutBus } from '../../libs/oneid-logout/src/sessions/logout-bus.js';
import { SessionEvents } from '../../libs/oneid-logout/src/sessions/session-events.js';
import { SessionRegistry } from '../../libs/oneid-logout/src/sessions/session-registry.js';
import { SessionRepository } from '../../libs/oneid-logout/src/store/session.repository.js';
import { OldRows } from '../../libs/oneid-logout/src/store/old-rows.js';
import { UserData } from '../../libs/oneid-logout/src/store/user-data.js';
import { PurgeProgress } from '../../libs/oneid-logout/src/store/purge-progress.js';
import { RevocationQueue } from '../../libs/oneid-logout/src/store/revocation-queue.js';
import { TokenRepository } from '../../libs/oneid-logout/src/store/token.repository.js';
import { IdleLimit } from '../../libs/oneid-logout/src/rule/idle-limit.js';
import { ActivityRepository } from '../../libs/oneid-logout/src/store/activity.repository.js';
import { IdleSessions } from '../../libs/oneid-logout/src/store/idle-sessions.js';
import { IdleEnds } from '../../libs/oneid-logout/src/sessions/idle-ends.js';
import { SessionActivity } from '../../libs/oneid-logout/src/sessions/session-activity.js';
import { ActivityLookup } from '../../libs/oneid-logout/src/replicas/activity-lookup.js';
import { LogoutInbox } from '../../libs/oneid-logout/src/sessions/logout-inbox.js';
import { OutageLookup } from '../../libs/oneid-logout/src/replicas/outage-lookup.js';
import { OutageWatch } from '../../libs/oneid-logout/src/sessions/outage-watch.js';
import { RecordingTimeRepository } from '../../libs/oneid-logout/src/store/recording-time.repository.js';
import { InboxLookup } from '../../libs/oneid-logout/src/replicas/inbox-lookup.js';
import { type RegisteredSession, type Session } from '../../libs/oneid-logout/src/rule/session.js';
import { UncertainLogouts } from '../../libs/oneid-logout/src/sessions/uncertain-logouts.js';
import { TokenVault } from '../../libs/oneid-logout/src/tokens/token-vault.js';

export const DAY = 24 * 60 * 60 * 1000;
export const maxSessionLifetimeMs = 30 * DAY;
export const logoutRetention = maxSessionLifetimeMs + 300_000 + DAY;
export const issuer = 'https://oneid.example/';
export const clientId = 'app';

type IdTokenFacts = Pick<VerifiedIdToken, 'sub'> & Partial<VerifiedIdToken>;
/** `undefined` leaves a claim out. */
type GivenFacts = { readonly [Name in keyof IdTokenFacts]: IdTokenFacts[Name] | undefined };

/** Accepts every token of {@link SessionStore.idToken} without checks: other tests check ID tokens. */
class TrustingVerifier extends IdTokenVerifier {
  constructor(private readonly scope: 'session' | 'user') {
    super(new OneIdClients([], new TestClock()), new TokenTimes(new TestClock(), 0, () => Promise.resolve(0)));
  }

  override verify(idToken: string): Promise<VerifiedIdToken> {
    const idTokenHash = createHash('sha256').update(idToken).digest('hex');
    const claims = JSON.parse(idToken) as IdTokenFacts & { iat: number };
    return Promise.resolve({ issuer, clientId, logoutScope: this.scope, ...claims, idTokenHash });
  }
}

export interface SessionStoreSettings {
  readonly clock?: TestClock;
  readonly secrets?: readonly string[];
  readonly scope?: 'session' | 'user';
  readonly maxSessionsPerUser?: number | undefined;
  readonly maxIdleSeconds?: number | undefined;
  readonly reconfirmAfterOutageSeconds?: number | undefined;
  /** Other sessions are of another app that shares the database. Without it, all sessions are of this app. */
  readonly clients?: readonly { readonly issuer: string; readonly clientId: string }[];
}

/** The classes with which one replica stores and checks sessions, without an app and without OneID. */
export class SessionStore {
  readonly repository: SessionRepository;
  readonly oldRows: OldRows;
  readonly userData: UserData;
  readonly tokens: TokenRepository;
  readonly revocations: RevocationQueue;
  readonly vault: TokenVault;
  readonly bus = new LogoutBus();
  readonly events = new SessionEvents(this.bus);
  readonly uncertain: UncertainLogouts;
  readonly recorder: LogoutRecorder;
  readonly inbox: LogoutInbox;
  readonly outages: OutageWatch;
  readonly registry: SessionRegistry;
  readonly judge: SessionJudge;
  /** Undefined without `maxIdleSeconds`. */
  readonly idleLimit: IdleLimit | undefined;
  readonly activity: SessionActivity | undefined;
  readonly idleEnds: IdleEnds | undefined;

  private constructor(
    readonly database: SessionDatabase,
    readonly clock: TestClock,
    secrets: readonly string[],
    readonly scope: 'session' | 'user',
    { maxSessionsPerUser, maxIdleSeconds, ...outages }: Omit<SessionStoreSettings, 'clock' | 'secrets' | 'scope'>,
  ) {
    const { clients } = outages;
    const isOurs = (iss: string, client: string) =>
      clients?.some((one) => one.issuer === iss && one.clientId === client) ?? true;
    const lifetime = { maxSessionLifetimeSeconds: maxSessionLifetimeMs / 1000 };
    const settings = new GuardSettings(
      lifetime.maxSessionLifetimeSeconds,
      [],
      () => scope,
      isOurs,
      maxIdleSeconds === undefined ? undefined : maxIdleSeconds * 1000,
    );
    const random = new Random();
    const measures = Measures.off(clock);
    const idleLimit = maxIdleSeconds === undefined ? undefined : new IdleLimit(maxIdleSeconds * 1000);
    this.idleLimit = idleLimit;
    this.activity =
      idleLimit && new SessionActivity(new ActivityRepository(database, idleLimit), idleLimit, clock, random);
    this.repository = new SessionRepository(database, {
      ...{ logoutRetention, storesTokens: secrets.length > 0, idleLimit },
    });
    this.oldRows = new OldRows(database);
    this.userData = new UserData(database, { storesTokens: secrets.length > 0 });
    this.tokens = new TokenRepository(database);
    this.revocations = new RevocationQueue(database, { logoutRetention });
    this.vault = new TokenVault(this.tokens, secrets);
    this.uncertain = new UncertainLogouts(this.repository, clock, random);
    this.recorder = new LogoutRecorder(this.repository, this.bus, this.uncertain, clock, random, measures);
    this.idleEnds =
      idleLimit &&
      new IdleEnds(this.repository, new IdleSessions(database), this.recorder, idleLimit, isOurs, clock, random);
    this.inbox = new LogoutInbox(this.recorder, this.bus, clock, random);
    const times = new RecordingTimeRepository(database);
    const noMemory = () => Promise.resolve();
    this.outages = new OutageWatch(
      times,
      this.recorder,
      clients ?? [{ issuer, clientId }],
      outages,
      noMemory,
      clock,
      random,
    );
    const known = new OutageLookup(this.repository, this.outages, { usableGenerationInOutage: undefined });
    const lookup = this.activity === undefined ? known : new ActivityLookup(known, this.activity, isOurs);
    this.judge = new SessionJudge(new InboxLookup(lookup, this.inbox), settings, clock, measures);
    this.registry = new SessionRegistry(
      new OneIdClients([], clock),
      new TrustingVerifier(scope),
      this.repository,
      this.revocations,
      this.vault,
      this.recorder,
      this.outages,
      this.bus,
      clock,
      random,
      { ...lifetime, maxSessionsPerUser },
      this.userData,
    );
  }

  static async open({ options }: TestDatabase, settings: SessionStoreSettings = {}): Promise<SessionStore> {
    const {
      clock = new TestClock(),
      secrets = ['a secret that is long enough for a test'],
      scope = 'session',
      ...others
    } = settings;
    const database = await SessionDatabase.open(options, true, { clock, connector: clock.connector });
    return new SessionStore(database, clock, secrets, scope, others);
  }

  close(): Promise<void> {
    return this.database.close();
  }

  /** An ID token that this store's registry accepts. Each token is new. */
  idToken(facts: GivenFacts): string {
    return JSON.stringify({ iat: this.clock.seconds, jti: randomUUID(), ...facts });
  }

  /** The claims of a verified logout token. Each token is new. */
  logout(token: Partial<VerifiedLogoutToken>): VerifiedLogoutToken {
    return { issuer, clientId, jti: randomUUID(), iat: this.clock.seconds, scope: this.scope, ...token };
  }

  async rows(
    table:
      | 'session'
      | 'session_alias'
      | 'logout'
      | 'session_tokens'
      | 'login_user'
      | 'session_activity'
      | 'client_target'
      | 'recording_time',
    condition = '1 = 1',
    ...parameters: SqlParameter[]
  ) {
    return (await this.database.run(`SELECT * FROM oneid_${table} WHERE ${condition}`, parameters)).rows;
  }

  async row(table: 'session' | 'logout', id: string): Promise<SqlRow | undefined> {
    return (await this.rows(table, 'id = ?', id))[0];
  }

  async clear(): Promise<void> {
    for (const table of ['session_tokens', 'session_alias', 'session_activity', 'session', 'logout', 'login_user']) {
      await this.database.run(`DELETE FROM oneid_${table}`);
    }
  }

  /** @returns how many rows were deleted */
  async purge(limit: number, progress = new PurgeProgress()): Promise<number> {
    return this.oldRows.purge(limit, progress, await this.repository.findNow());
  }

  async isAlive(id: string): Promise<boolean> {
    return 'alive' in (await this.judge.judgeAgain({ id, issuer, iat: 0, registeredAt: 0 }));
  }
}

type Run = SessionDatabase['run'];

/** Calls `around` in place of each statement. @returns a function that removes the interception */
export function intercept(
  database: SessionDatabase,
  around: (run: Run, sql: string, parameters: readonly SqlParameter[]) => ReturnType<Run>,
): () => void {
  const run: Run = database.run.bind(database);
  database.run = (sql: string, parameters?: readonly SqlParameter[], options?: RunOptions) =>
    around((sql, parameters) => run(sql, parameters, options), sql, parameters ?? []);
  return () => {
    database.run = run;
  };
}

/** Makes the next statements fail, as if the database were down. */
export function failNext(database: SessionDatabase, statements = 1): void {
  let left = statements;
  const restore = intercept(database, () => {
    left -= 1;
    if (left === 0) restore();
    return Promise.reject(new StoreUnavailableError(new Error('the database is gone')));
  });
}

/** What the library stores of a session that a sign-in has got: all but the session token. */
export const factsOf = (session: RegisteredSession): Session => without(session, 'sessionToken');

/** A copy of the facts without the given names. */
export function without<T extends object, K extends keyof T>(facts: T, ...names: readonly K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => !names.includes(name as K))) as Omit<T, K>;
}

/** A bigint column as a number. Some drivers return a string. */
export const numberOf = (row: SqlRow | undefined, column: string): number | null => {
  const value = row?.[column];
  return value === null || value === undefined ? null : Number(value);
};
