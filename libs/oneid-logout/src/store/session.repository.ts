import { type SqlRow } from '../database/sql.js';
import {
  type Bound,
  type Logout,
  type LogoutAuthor,
  type LogoutChannel,
  type NewLogout,
  type RecordedLogout,
} from '../rule/logout.js';
import { spellingsOf } from '../rule/issuer.js';
import { GroupCommit } from './group-commit.js';
import { type LogoutChanges } from './logout-changes.js';
import { type CreatedLogout, LogoutInserts, type RetentionSettings } from './logout-inserts.js';
import { PostgresLogoutInserts } from './postgres-logout-inserts.js';
import { Gatherer } from './gatherer.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import { ends } from '../rule/rule.js';
import { type Turn } from '../database/statement-queue.js';
import { endedBySql, notEndedSql, notEndedWithEveryoneSql } from './rule-sql.js';
import {
  type CheckedSession,
  type ListedSession,
  type Session,
  type SessionFacts,
  type SessionUsage,
  targetsOf,
  withStoredTargets,
} from '../rule/session.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { isTokenHash } from '../rule/session-token.js';
import { type SessionDatabase } from '../database/session-database.js';
import { andWritable, hasSignInSql, isTrue, placeholders } from './sql-conditions.js';
import { ALL_TARGET_COLUMNS, columnsBeside, TARGET_COLUMNS, type TargetColumn } from './target-columns.js';
import { type SessionTables } from '../database/session-tables.js';
import { everyoneTargetsOf, type OwnTargetKind, targetOf } from '../rule/targets.js';
import { ValuesQuery } from './values-query.js';

export interface NewSession {
  /** The hash of the session token. */
  readonly id: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly sid?: string | undefined;
  readonly sub: string;
  /** Seconds, the provider's clock. */
  readonly iat: number;
  /** As in {@link SessionFacts.authTime}. */
  readonly authTime?: number | undefined;
  /** Milliseconds from registration to the absolute end. */
  readonly lifetime: number;
  readonly idTokenHash: string;
  /** 255 characters at most. */
  readonly label?: string | undefined;
  /** The session gets a later `registered_at` than this one: the database's clock, milliseconds. */
  readonly registeredAfter?: number | undefined;
}

/** Which sessions {@link SessionRepository.findAlive} returns. */
export interface AliveFilter {
  /** Only sessions of this client. */
  readonly clientId?: string | undefined;
  /** Leaves out this many of the newest sessions. */
  readonly skip?: number | undefined;
  /** Only sessions older than this one, for the next page: its last session. */
  readonly before?: Pick<Session, 'registeredAt' | 'id'> | undefined;
  /** Also sessions that are idle: they would be alive again with a higher `maxIdleSeconds`. */
  readonly orIdle?: boolean;
}

/** A session of a target, as {@link SessionRepository.findNewest} returns it. */
export interface NewestSession {
  /** The database's clock, milliseconds. */
  readonly registeredAt: number;
  readonly isAlive: boolean;
}

/** Up to which time sessions are registered, as {@link SessionRepository.findRegistrations} returns it. */
export interface Registrations {
  /** The database's clock, milliseconds. */
  readonly now: number;
  /** The `registered_at` of the newest session that is not far ahead of this clock, milliseconds; 0 without sessions. */
  readonly newest: number;
  /** Are there sessions that are farther ahead? */
  readonly hasAhead: boolean;
}

/**
 * How many further session tokens a session may have. The rows of a session stay few even if an attacker registers a
 * stolen ID token again and again. Requests at the same time may add a few more.
 */
const MAX_ALIASES = 15;

/** The most logouts in one answer to a look. */
export const CHANGES_PAGE = 1_000;

/** How often a sign-in may be written that a purge deletes meanwhile. */
const REMEMBER_ATTEMPTS = 5;

/** The most checks in one statement. */
const MAX_GROUP_CHECKS = 256;

const SESSION_COLUMNS = `s.id, s.issuer, s.client_id, s.sid, s.sub, s.issued_at, s.auth_time, s.registered_at,
  s.expires_at, ${ALL_TARGET_COLUMNS.map((column) => `s.${column}`).join(', ')}`;

export interface RepositorySettings extends RetentionSettings {
  /** Undefined without the option `maxIdleSeconds`: then no statement reads when a session was used. */
  readonly idleLimit?: IdleLimit | undefined;
}

/** Reads and writes sessions and logouts. Each method is one statement. */
export class SessionRepository {
  private readonly logoutGroups: GroupCommit<NewLogout, CreatedLogout>;
  /** Undefined for SQLite: it answers in this process, so groups would cost more than they save. */
  private readonly checks: Gatherer<string, CheckedSession | undefined> | undefined;
  private readonly endings: Gatherer<string, readonly Ending[]> | undefined;
  private readonly sessionsQuery: ValuesQuery;
  private readonly endingsQuery: ValuesQuery;
  private readonly logoutRetention: number;
  private readonly idleLimit: IdleLimit | undefined;
  /** The clients whose targets of everyone this process has written, or is writing. */
  private readonly rememberedClients = new Map<string, Promise<void>>();

  constructor(
    private readonly database: SessionDatabase,
    settings: RepositorySettings,
  ) {
    this.logoutRetention = settings.logoutRetention;
    this.idleLimit = settings.idleLimit;
    const inserts =
      database.dataSource.options.type === 'postgres'
        ? new PostgresLogoutInserts(database, settings)
        : new LogoutInserts(database, settings);
    this.logoutGroups = new GroupCommit(database, inserts);
    this.sessionsQuery = new ValuesQuery(database, (equalsAny) => this.sessionsSql(equalsAny));
    this.endingsQuery = new ValuesQuery(database, (equalsAny) => this.endingsSql(equalsAny));
    this.checks = this.gatherer((ids, turn) => this.checkAll(ids, turn));
    this.endings = this.gatherer<readonly Ending[]>((targets, turn) => this.findEndings(targets, turn));
  }

  /**
   * Returns the session that has a session token with this hash, and whether it is ended or expired. The session's id is
   * the hash of its first token. Callers at the same time share one statement; it is sent after the last of them has
   * asked.
   */
  async check(tokenHash: string): Promise<CheckedSession | undefined> {
    if (!isTokenHash(tokenHash)) return undefined;
    if (this.checks !== undefined) return this.checks.add(tokenHash);
    const [checked] = await this.checkAll([tokenHash]);
    return checked;
  }

  /** The session that was registered with this ID token. */
  async checkByIdToken(idTokenHash: string): Promise<CheckedSession | undefined> {
    const sql = this.checkSql(`${this.tables.session} s WHERE s.id_token_hash = ?`);
    const { rows } = await this.database.read(sql, [idTokenHash], { prepared: true });
    return rows[0] && toCheckedSession(rows[0], this.idleLimit);
  }

  /**
   * Returns the alive sessions of a target, the newest first. The id decides between sessions of the same millisecond, so
   * every replica finds the same order. It looks up logouts as {@link check} does: for NOT EXISTS, PostgreSQL may read all
   * logouts for each session, because it underestimates how many sessions are left.
   */
  async findAlive(
    kind: OwnTargetKind,
    target: string,
    limit: number,
    { clientId, skip = 0, before, orIdle = false }: AliveFilter = {},
  ): Promise<ListedSession[]> {
    const { rows } = await this.database.read(
      `SELECT ${SESSION_COLUMNS}, s.label FROM ${this.tables.session} s
       WHERE s.${TARGET_COLUMNS[kind]} = ? AND s.expires_at > ${this.now}
         AND ${endedBySql(this.tables)} IS NULL ${orIdle ? '' : this.andNotIdle}
         ${clientId === undefined ? '' : 'AND s.client_id = ?'}
         ${before === undefined ? '' : 'AND s.registered_at <= ? AND (s.registered_at < ? OR s.id < ?)'}
       ORDER BY s.registered_at DESC, s.id DESC LIMIT ${limit} OFFSET ${skip}`,
      [
        target,
        ...(clientId === undefined ? [] : [clientId]),
        ...(before === undefined ? [] : [before.registeredAt, before.registeredAt, before.id]),
      ],
      { order: 'registered_at DESC, id DESC' },
    );
    return rows.map(toListedSession);
  }

  /**
   * Returns the newest sessions that no logout of this target has ended, the newest first. Another target's logout or
   * the expiry may have ended them. However many sessions and logouts the target has, the database reads only `limit`
   * sessions, by index.
   */
  async findNewest(kind: OwnTargetKind, target: string, limit: number): Promise<NewestSession[]> {
    const own = TARGET_COLUMNS[kind];
    const notEndedByOthers = [
      ...columnsBeside(kind).map((column) => notEndedSql(this.tables.logout, `s.${column}`)),
      notEndedWithEveryoneSql(this.tables),
    ];
    const { rows } = await this.database.read(
      `SELECT s.registered_at,
         CASE WHEN s.expires_at > ${this.now} AND ${notEndedByOthers.join(' AND ')} THEN 1 ELSE 0 END AS alive
       FROM (SELECT s.* FROM ${this.tables.session} s
         WHERE s.${own} = ? AND ${notEndedSql(this.tables.logout, '?')}
         ORDER BY s.registered_at DESC LIMIT ${limit}) s
       ORDER BY s.registered_at DESC`,
      [target, target, target, target, target],
      { order: 'registered_at DESC' },
    );
    return rows.map((row) => ({ registeredAt: Number(row['registered_at']), isAlive: isTrue(row['alive']) }));
  }

  /**
   * Returns the channel of a logout that ends a session with these facts. The session need not be registered. Callers at
   * the same time share one statement, as in {@link check}.
   */
  async endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined> {
    const targets = targetsOf(facts);
    const { endings } = this;
    const found =
      endings === undefined
        ? await this.findEndings(targets)
        : await Promise.all(targets.map((target) => endings.add(target)));
    const channels = found.flat().filter((ending) => ends(ending, facts, targets));
    return channels.map(({ channel }) => channel).sort()[0];
  }

  /** Returns the latest `iat` of the logout tokens that named this `sid`; undefined if no such logout exists. */
  async findLogoutIat(target: string): Promise<number | undefined> {
    const { rows } = await this.database.read(
      `SELECT MAX(l.issued_at) AS issued_at FROM ${this.tables.logout} l
       WHERE l.target = ? AND l.issued_until IS NULL AND l.registered_until IS NULL`,
      [target],
    );
    const iat = rows[0]?.['issued_at'];
    return iat === null || iat === undefined ? undefined : Number(iat);
  }

  /**
   * Stores a sign-in. Its `registered_at` is later than any `registered_until` already recorded for its targets, and than
   * `registeredAfter`, even if the database's clock has stepped back.
   *
   * @returns false if the ID token is registered already; the database is then unchanged
   */
  async insertSession(session: NewSession): Promise<boolean> {
    const { issuer, sid } = session;
    const targets: Readonly<Record<TargetColumn, string>> = {
      target_session: targetOf('session', issuer, session.id),
      target_sid: loginTargetOf(session),
      target_sub: targetOf('sub', issuer, session.sub),
    };
    await this.rememberClientOnce(issuer, session.clientId);
    // no logout names the new session itself yet
    const shared = [
      ...columnsBeside('session').map((column) => targets[column]),
      ...everyoneTargetsOf(issuer, session.clientId),
    ];
    const earliest = session.registeredAfter === undefined ? this.now : this.database.dialect.greatest(this.now, '?');
    const registeredAt = this.database.dialect.greatest(
      earliest,
      `(SELECT COALESCE(MAX(l.registered_until), 0) + 1 FROM ${this.tables.logout} l WHERE l.target IN (${placeholders(shared)}))`,
    );
    const { affected } = await this.database.run(
      this.database.dialect.insertOrIgnore(
        `INSERT INTO ${this.tables.session} (id, issuer, client_id, sid, sub, issued_at, auth_time, registered_at,
           expires_at, ${ALL_TARGET_COLUMNS.join(', ')}, id_token_hash, label)
         VALUES (?, ?, ?, ?, ?, ?, ?, ${registeredAt}, ${this.now} + ?, ${placeholders(ALL_TARGET_COLUMNS)}, ?, ?)`,
      ),
      [
        ...[session.id, issuer, session.clientId, sid ?? null, session.sub, session.iat, session.authTime ?? null],
        ...(session.registeredAfter === undefined ? [] : [session.registeredAfter + 1]),
        ...shared,
        session.lifetime,
        ...ALL_TARGET_COLUMNS.map((column) => targets[column]),
        ...[session.idTokenHash, session.label ?? null],
      ],
    );
    return affected === 1;
  }

  /**
   * Remembers the targets of everyone to which the sessions of a client belong. The library writes them before a session,
   * and before a logout of everyone.
   */
  async rememberClient(issuer: string, clientId: string): Promise<void> {
    const targets = everyoneTargetsOf(issuer, clientId);
    const rows = spellingsOf(issuer).flatMap((spelling) => targets.map((target) => [spelling, clientId, target]));
    await this.database.run(
      this.database.dialect.insertOrIgnore(
        `INSERT INTO ${this.tables.clientTarget} (issuer, client_id, target)
         VALUES ${rows.map(() => '(?, ?, ?)').join(', ')}`,
      ),
      rows.flat(),
    );
  }

  /**
   * Gives a session one more session token: the app has registered its ID token again.
   *
   * @returns false if the session has too many tokens, or does not exist
   */
  async insertAlias(tokenHash: string, sessionId: string): Promise<boolean> {
    const { session, sessionAlias } = this.tables;
    const { affected } = await this.database.run(
      `INSERT INTO ${sessionAlias} (token_hash, session_id) SELECT ?, s.id FROM ${session} s WHERE s.id = ?
         AND (SELECT COUNT(*) FROM ${sessionAlias} a WHERE a.session_id = s.id) < ${MAX_ALIASES}`,
      [tokenHash, sessionId],
    );
    return affected === 1;
  }

  /**
   * Records these logouts in one commit, so all of them are stored or all fail. Callers at the same time share one
   * statement.
   *
   * @returns one entry for each logout that is new
   */
  insertLogouts(logouts: readonly NewLogout[]): Promise<readonly CreatedLogout[]> {
    return this.logoutGroups.insert(logouts);
  }

  /**
   * Gives recorded logouts a new `changed_at`, so that every replica reads them again. Replicas may have missed a
   * logout that was committed late. The time never goes back: on MySQL, a statement that waits for a lock has the time of its
   * start, so it may write after a later one.
   *
   * @returns how many of these logouts exist
   */
  async touchLogouts(ids: readonly string[]): Promise<number> {
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.logout} SET changed_at = ${this.database.dialect.greatest('changed_at', this.now)} WHERE id IN (${placeholders(ids)}) ${this.andWritable}`,
      ids,
      { lane: 'logout' },
    );
    return affected;
  }

  /**
   * Returns a page of the logouts that were recorded or touched after a position, the longest unchanged first.
   *
   * @param replica id of the replica that asks
   * @param after the last logout of the page before; or `id: ''` and a time of the database's clock, milliseconds
   */
  async findChanges(replica: string, after: Pick<RecordedLogout, 'changedAt' | 'id'>): Promise<LogoutChanges> {
    const declared = `(SELECT COUNT(*) FROM ${this.tables.replica} r WHERE r.id = ?)`;
    const { rows, sent } = await this.database.read(
      `SELECT n.now_at, n.declared, page.* FROM (SELECT ${this.now} AS now_at, ${declared} AS declared) n
       LEFT JOIN (
         SELECT id, target, channel, issued_until, registered_until, authenticated_until, author, reason, changed_at
         FROM ${this.tables.logout}
         WHERE changed_at >= ? AND (changed_at > ? OR id > ?) ORDER BY changed_at, id LIMIT ${CHANGES_PAGE}
       ) page ON 1 = 1 ORDER BY page.changed_at, page.id`,
      [replica, after.changedAt, after.changedAt, after.id],
      { prepared: true, lane: 'look', order: 'changed_at, id' },
    );
    const found = rows.filter((row) => row['id'] !== null);
    return {
      now: Number(rows[0]?.['now_at']),
      sent,
      knowsReplica: isTrue(rows[0]?.['declared']),
      logouts: found.map(toRecordedLogout),
      more: found.length === CHANGES_PAGE,
    };
  }

  /**
   * Finds up to which time sessions are registered.
   *
   * @param maxAheadMs how far a session may be ahead of the database's clock to count as the newest, milliseconds
   */
  async findRegistrations(maxAheadMs: number): Promise<Registrations> {
    const newest = `SELECT COALESCE(MAX(s.registered_at), 0) FROM ${this.tables.session} s`;
    const { rows } = await this.database.read(
      `SELECT n.now_at, (${newest} WHERE s.registered_at <= n.now_at + ?) AS newest_at,
         CASE WHEN (${newest}) > n.now_at + ? THEN 1 ELSE 0 END AS has_ahead
       FROM (SELECT ${this.now} AS now_at) n`,
      [maxAheadMs, maxAheadMs],
      { lane: 'logout' },
    );
    const now = Number(rows[0]?.['now_at']);
    return { now, newest: Number(rows[0]?.['newest_at']), hasAhead: isTrue(rows[0]?.['has_ahead']) };
  }

  /**
   * Returns a page of the sessions that are registered after a time, also ended ones, the earliest first.
   *
   * @param after the last session of the page before; or `id: ''` and the time, milliseconds
   */
  async findRegisteredAfter(after: Pick<Session, 'registeredAt' | 'id'>, limit: number): Promise<Session[]> {
    const { registeredAt, id } = after;
    const { rows } = await this.database.read(
      `SELECT ${SESSION_COLUMNS} FROM ${this.tables.session} s
       WHERE s.registered_at >= ? AND (s.registered_at > ? OR s.id > ?) ORDER BY s.registered_at, s.id LIMIT ${limit}`,
      [registeredAt, registeredAt, id],
      { order: 'registered_at, id' },
    );
    return rows.map(toSession);
  }

  /** The database's clock, milliseconds. */
  async findNow(): Promise<number> {
    const { rows } = await this.database.read(`SELECT ${this.now} AS now_at`, [], { lane: 'look' });
    return Number(rows[0]?.['now_at']);
  }

  /** Returns the target and the bound of recorded logouts, by logout id. */
  async findLogouts(ids: readonly string[]): Promise<Map<string, Pick<Logout, 'target' | 'bound'>>> {
    const { rows } = await this.database.read(
      `SELECT id, target, issued_until, registered_until, authenticated_until FROM ${this.tables.logout}
       WHERE id IN (${placeholders(ids)})`,
      ids,
      { lane: 'logout' },
    );
    return new Map(rows.map((row) => [String(row['id']), { target: String(row['target']), bound: boundsOf(row)[0] }]));
  }

  /**
   * Remembers who signs in with this `sid`, for as long as a logout is kept, so longer than the session. A sign-in
   * without `sid` is remembered, too.
   */
  async rememberUser(session: Pick<NewSession, 'issuer' | 'sid' | 'sub'>): Promise<void> {
    const key = [loginTargetOf(session), targetOf('sub', session.issuer, session.sub)];
    const { loginUser } = this.tables;
    const keepUntil = `${this.now} + ?`;
    for (let attempt = 1; attempt <= REMEMBER_ATTEMPTS; attempt++) {
      const inserted = await this.database.run(
        this.database.dialect.insertOrIgnore(
          `INSERT INTO ${loginUser} (target_sid, target_sub, keep_until) VALUES (?, ?, ${keepUntil})`,
        ),
        [...key, this.logoutRetention],
      );
      if (inserted.affected > 0) return;
      // one millisecond at least, because MySQL does not count a row that keeps its value
      const later = this.database.dialect.greatest(keepUntil, 'keep_until + 1');
      const updated = await this.database.run(
        `UPDATE ${loginUser} SET keep_until = ${later} WHERE target_sid = ? AND target_sub = ?`,
        [this.logoutRetention, ...key],
      );
      if (updated.affected > 0) return;
      // a purge has deleted the row between the two statements
    }
    throw new StoreUnavailableError(new Error('A sign-in could not be remembered'));
  }

  /**
   * Is a sign-in remembered that a logout of one of these targets may end? Only for databases that do not tell it when
   * they record a logout.
   */
  async hasSignIn(targets: readonly string[]): Promise<boolean> {
    const known = targets.map(() => hasSignInSql(this.tables.loginUser, '?')).join(' OR ');
    const { rows } = await this.database.read(
      `SELECT ${known} AS has_sign_in`,
      targets.flatMap((target) => [target, target]),
    );
    return isTrue(rows[0]?.['has_sign_in']);
  }

  /**
   * Has this user signed in with a `sid`, as far as {@link rememberUser} remembers? No logout of a `sid` finds a user who
   * has only signed in without `sid`.
   */
  async knowsUser(issuer: string, sub: string): Promise<boolean> {
    const { rows } = await this.database.read(
      `SELECT 1 AS known FROM ${this.tables.loginUser} u WHERE u.target_sub = ? AND u.target_sid <> ? LIMIT 1`,
      [targetOf('sub', issuer, sub), targetOf('sidless', issuer, sub)],
    );
    return rows.length > 0;
  }

  /**
   * Has a back-channel logout of one of these targets been recorded lately?
   *
   * @param withinMs how long ago at most, whole milliseconds
   */
  async hasBackchannelLogout(targets: readonly string[], withinMs: number): Promise<boolean> {
    const { rows } = await this.database.read(
      `SELECT 1 AS known FROM ${this.tables.logout} l
       WHERE l.target IN (${placeholders(targets)}) AND l.channel = 'backchannel' AND l.recorded_at > ${this.now} - ? LIMIT 1`,
      [...targets, withinMs],
    );
    return rows.length > 0;
  }

  /**
   * Returns the targets of the users who signed in with this `sid`, as far as {@link rememberUser} remembers: one user,
   * unless the provider reuses the `sid`.
   *
   * @param sidTarget a target of the kind `sid`; the column also holds `sidless` targets, each of one user
   */
  async findUsers(sidTarget: string, lane: 'logout' | 'check' = 'check'): Promise<string[]> {
    const { rows } = await this.database.read(
      `SELECT u.target_sub FROM ${this.tables.loginUser} u WHERE u.target_sid = ? ORDER BY u.target_sub`,
      [sidTarget],
      { order: 'target_sub', lane },
    );
    return rows.map((row) => String(row['target_sub']));
  }

  /** Returns the users of these `sid` targets, as targets, as far as {@link rememberUser} remembers. */
  async findSignIns(sidTargets: readonly string[]): Promise<{ readonly sid: string; readonly user: string }[]> {
    const { rows } = await this.database.read(
      `SELECT u.target_sid, u.target_sub FROM ${this.tables.loginUser} u WHERE u.target_sid IN (${placeholders(sidTargets)})`,
      sidTargets,
      { lane: 'check' },
    );
    return rows.map((row) => ({ sid: String(row['target_sid']), user: String(row['target_sub']) }));
  }

  /**
   * Records that the browser came back from the provider after this logout.
   *
   * @param maxAge the maximum age of the logout, milliseconds
   * @returns false if the return is recorded already, the logout is too old, or no such logout exists
   */
  async noteReturn(logoutId: string, maxAge: number): Promise<boolean> {
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.logout} SET returned_at = ${this.now}
       WHERE id = ? AND returned_at IS NULL AND recorded_at > ${this.now} - ? ${this.andWritable}`,
      [logoutId, maxAge],
    );
    return affected === 1;
  }

  /** Once in this process, for each client. */
  private rememberClientOnce(issuer: string, clientId: string): Promise<void> {
    const key = JSON.stringify([issuer, clientId]);
    const known = this.rememberedClients.get(key);
    if (known !== undefined) return known;
    const remembering = this.rememberClient(issuer, clientId);
    this.rememberedClients.set(key, remembering);
    remembering.catch(() => this.rememberedClients.delete(key));
    return remembering;
  }

  private async checkAll(
    tokenHashes: readonly string[],
    turn?: Turn,
  ): Promise<readonly (CheckedSession | undefined)[]> {
    const rows = await this.sessionsQuery.read(tokenHashes, turn);
    const byHash = new Map(rows.map((row) => [String(row['token_hash']), row]));
    // each caller gets an object of its own: what one of them changes must not reach the others
    return tokenHashes.map((tokenHash) => {
      const row = byHash.get(tokenHash);
      return row && toCheckedSession(row, this.idleLimit);
    });
  }

  private sessionsSql(equalsAny: string): string {
    const { session, sessionAlias } = this.tables;
    return this.checkSql(
      `(SELECT s.id AS token_hash, s.* FROM ${session} s WHERE s.id ${equalsAny}
        UNION ALL SELECT a.token_hash, s.* FROM ${sessionAlias} a JOIN ${session} s ON s.id = a.session_id
          WHERE a.token_hash ${equalsAny}) s`,
      's.token_hash, ',
    );
  }

  private endingsSql(equalsAny: string): string {
    return `SELECT l.target, l.channel, MAX(l.issued_until) AS issued_until, MAX(l.registered_until) AS registered_until,
         MAX(l.authenticated_until) AS authenticated_until, MAX(CASE WHEN l.issued_until IS NULL
           AND l.registered_until IS NULL AND l.authenticated_until IS NULL THEN 1 ELSE 0 END) AS unbounded
       FROM ${this.tables.logout} l WHERE l.target ${equalsAny} GROUP BY l.target, l.channel`;
  }

  /** @param from the source `s` of the sessions, with its condition */
  private checkSql(from: string, columns = ''): string {
    return `SELECT ${columns}${SESSION_COLUMNS}, CASE WHEN s.expires_at <= ${this.now} THEN 1 ELSE 0 END AS expired,
         ${endedBySql(this.tables)} AS ended_by
         ${this.idleLimit === undefined ? '' : `, ${this.lastUse} AS last_use_at, ${this.now} AS checked_at`}
       FROM ${from}`;
  }

  /** For each target, the widest logouts: few, however many logouts were recorded for the target. */
  private async findEndings(targets: readonly string[], turn?: Turn): Promise<readonly Ending[][]> {
    const rows = await this.endingsQuery.read(targets, turn);
    const byTarget = new Map<string, Ending[]>(targets.map((target) => [target, []]));
    for (const row of rows) byTarget.get(String(row['target']))?.push(...toEndings(row));
    return targets.map((target) => byTarget.get(target) ?? []);
  }

  private gatherer<Result>(
    send: (keys: readonly string[], turn: Turn) => Promise<readonly Result[]>,
  ): Gatherer<string, Result> | undefined {
    if (this.database.dialect.selectAny === undefined) return undefined;
    return new Gatherer(this.database, { lane: 'check', maxSize: MAX_GROUP_CHECKS, sizeOf: () => 1 }, send);
  }

  private get tables(): SessionTables {
    return this.database.tables;
  }

  /** SQL expression: when session `s` was last used, as far as recorded. */
  private get lastUse(): string {
    const { sessionActivity } = this.tables;
    return `COALESCE((SELECT a.active_at FROM ${sessionActivity} a WHERE a.session_id = s.id), s.registered_at)`;
  }

  private get andNotIdle(): string {
    if (this.idleLimit === undefined) return '';
    return `AND ${this.lastUse} > ${this.now} - ${this.idleLimit.maxIdleMs}`;
  }

  private get andWritable(): string {
    return andWritable(this.database.dialect);
  }

  private get now(): string {
    return this.database.dialect.now;
  }
}

/** The facts of a logout that decide which sessions it ends, and its channel. */
type Ending = Pick<Logout, 'target' | 'channel' | 'bound'>;

function toEndings(row: SqlRow): Ending[] {
  const target = String(row['target']);
  const channel = row['channel'] as LogoutChannel;
  if (isTrue(row['unbounded'])) return [{ target, channel }];
  return boundsOf(row).map((bound) => ({ target, channel, bound }));
}

function toCheckedSession(row: SqlRow, idleLimit: IdleLimit | undefined): CheckedSession {
  const endedBy = row['ended_by'] as LogoutChannel | null;
  return {
    session: toSession(row),
    expired: Number(row['expired']) === 1,
    ...(endedBy !== null && { endedBy }),
    ...(idleLimit !== undefined && { usage: toUsage(row, idleLimit) }),
  };
}

function toUsage(row: SqlRow, idleLimit: IdleLimit): SessionUsage {
  const [recordedAt, checkedAt] = [Number(row['last_use_at']), Number(row['checked_at'])];
  return { recordedAt, checkedAt, idle: idleLimit.isIdle(checkedAt - recordedAt) };
}

function toRecordedLogout(row: SqlRow): RecordedLogout {
  return {
    id: String(row['id']),
    target: String(row['target']),
    channel: row['channel'] as LogoutChannel,
    bound: boundsOf(row)[0],
    author: authorOf(row),
    changedAt: Number(row['changed_at']),
  };
}

function authorOf({ author: by, reason }: SqlRow): LogoutAuthor | undefined {
  if (typeof by !== 'string' && typeof reason !== 'string') return undefined;
  return { ...(typeof by === 'string' && { by }), ...(typeof reason === 'string' && { reason }) };
}

/** One logout has at most one bound, the row of several logouts may have several. */
function boundsOf(row: SqlRow): Bound[] {
  const { issued_until: issued, registered_until: registered, authenticated_until: authenticated } = row;
  return [
    ...(issued === null ? [] : [{ issuedUntil: Number(issued) }]),
    ...(registered === null ? [] : [{ registeredUntil: Number(registered) }]),
    ...(authenticated === null ? [] : [{ authenticatedUntil: Number(authenticated) }]),
  ];
}

function toListedSession(row: SqlRow): ListedSession {
  const label = row['label'];
  return Object.assign(toSession(row), typeof label === 'string' && { label });
}

function toSession(row: SqlRow): Session {
  const { sid, auth_time: authTime } = row;
  const session: Session = {
    id: String(row['id']),
    issuer: String(row['issuer']),
    clientId: String(row['client_id']),
    ...(typeof sid === 'string' && { sid }),
    sub: String(row['sub']),
    iat: Number(row['issued_at']),
    ...(authTime !== null && { authTime: Number(authTime) }),
    registeredAt: Number(row['registered_at']),
    expiresAt: Number(row['expires_at']),
  };
  const loginKind = typeof sid === 'string' ? 'sid' : 'sidless';
  const others: Readonly<Record<Exclude<OwnTargetKind, 'sid' | 'sidless'>, string>> = {
    session: String(row[TARGET_COLUMNS.session]),
    sub: String(row[TARGET_COLUMNS.sub]),
  };
  return withStoredTargets(session, { ...others, [loginKind]: String(row[TARGET_COLUMNS[loginKind]]) });
}

/** The target in the column `target_sid`: of the `sid`, or for a session without `sid`, of its user's sessions without `sid`. */
function loginTargetOf({ issuer, sid, sub }: Pick<NewSession, 'issuer' | 'sid' | 'sub'>): string {
  return sid === undefined ? targetOf('sidless', issuer, sub) : targetOf('sid', issuer, sid);
}
