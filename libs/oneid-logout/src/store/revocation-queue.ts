import { nowOnce } from '../database/sql-dialect.js';
import { type SessionDatabase } from '../database/session-database.js';
import { type SessionTables } from '../database/session-tables.js';
import { isOfEveryone, type LogoutChannel } from '../rule/logout.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { type RetentionSettings } from './logout-inserts.js';
import { boundSql, isOfEveryoneSql } from './rule-sql.js';
import { FRONTCHANNEL_TOKEN_RETENTION, IS_SIBLING, noneOf, placeholders } from './sql-conditions.js';

/** A recorded logout whose sessions may have refresh tokens to revoke. */
export interface DueLogout {
  readonly id: string;
  readonly channel: LogoutChannel;
  /** When this row was read: the database's clock, milliseconds. */
  readonly now: number;
  /** The database's clock, milliseconds. */
  readonly recordedAt: number;
  /** Past its retention, so the tries end. The retention starts again while tokens wait for another session's end. */
  readonly overdue: boolean;
}

/** `leased_until` of a logout of everyone that is closed. Null says that an older version has closed it. */
const CLOSED = -1;

/** How long a lease lasts from the read of the due logout, milliseconds. */
export const LEASE = 60_000;

/**
 * The logouts whose sessions may still have refresh tokens to revoke, as a queue in the logout table. A replica leases
 * a due logout, revokes the tokens, and gives the logout back. Two columns hold the state of a logout:
 *
 * - waiting: `revocation_due_at` is the time when it is due, `leased_until` is null.
 * - closed: `revocation_due_at` is null. `leased_until` is null too, or -1 for a logout of everyone.
 * - leased: both are the end of the lease. This time also identifies the lease, because no two leases of one
 *   logout end at the same time.
 * - leased, and {@link makeDue} was called meanwhile: `revocation_due_at` has another value than `leased_until`.
 * - given back: waiting again, with the time that {@link release} sets. After a `makeDue` during the lease,
 *   `revocation_due_at` keeps the time of `makeDue`.
 * - kept: waiting, and `leased_until` is 0. Its tokens may not be revoked before another session has ended. Each time it
 *   is kept, its retention starts again: the tries to revoke the tokens only begin when that session has ended.
 *
 * For a front-channel logout, the work is to erase the tokens an hour later, not to revoke them.
 *
 * A replica of an older version shares the queue, but it does not know the logouts of everyone: it finds no tokens of
 * theirs, and closes them. {@link reopen} makes such a logout due again.
 */
export class RevocationQueue {
  constructor(
    private readonly database: SessionDatabase,
    private readonly settings: Pick<RetentionSettings, 'logoutRetention'>,
  ) {}

  /** Makes the logouts that end this session due again, so that tokens stored after the logout are erased too. */
  async makeDue(session: SessionFacts): Promise<void> {
    const targets = targetsOf(session);
    const { now } = this.database.dialect;
    // a replica that has the lease may already be past this session: it sees at release that the due time has changed
    await this.database.run(
      `UPDATE ${this.tables.logout} SET revocation_due_at = CASE
         WHEN channel = 'frontchannel' THEN ${now} + ${FRONTCHANNEL_TOKEN_RETENTION} ELSE ${now} END
       WHERE id IN (SELECT id FROM (SELECT l.id FROM ${this.tables.logout} l
         WHERE l.target IN (${placeholders(targets)}) AND ${boundSql('?', '?', '?')}) due)`,
      [...targets, session.iat, session.registeredAt, session.authTime ?? 0],
    );
  }

  /** Makes the logouts of everyone due again that a replica of an older version has closed. */
  async reopen(): Promise<void> {
    await this.database.run(
      `UPDATE ${this.tables.logout} SET revocation_due_at = ${this.database.dialect.now}
       WHERE revocation_due_at IS NULL AND leased_until IS NULL
         AND id IN (SELECT id FROM (SELECT l.id FROM ${this.tables.logout} l WHERE ${isOfEveryoneSql}) everyone)`,
    );
  }

  /**
   * Returns the logouts whose sessions may have refresh tokens to revoke, the longest due first. It leaves out those on
   * which a replica works.
   */
  async findDue(limit: number): Promise<DueLogout[]> {
    const { now } = this.database.dialect;
    const { rows } = await this.database.read(
      `SELECT id, channel, recorded_at, revocation_due_at, ${now} AS now_at, CASE WHEN keep_until < ${now} THEN 1 ELSE 0 END AS overdue
       FROM ${this.tables.logout} WHERE ${claimable(nowOnce(this.database.dialect))}
       ORDER BY revocation_due_at LIMIT ${limit}`,
      [],
      { order: 'revocation_due_at' },
    );
    return rows.map((row) => ({
      id: String(row['id']),
      channel: row['channel'] as LogoutChannel,
      now: Number(row['now_at']),
      recordedAt: Number(row['recorded_at']),
      overdue: Number(row['overdue']) === 1,
    }));
  }

  /** Counts the logouts whose sessions have, or may have, refresh tokens to revoke. It leaves out the kept ones. */
  async countDue(): Promise<number> {
    // as in REVOKING, but by the index: nearly all logouts have no tokens left
    const { rows } = await this.database.read(
      `SELECT COUNT(*) AS due FROM ${this.tables.logout} WHERE revocation_due_at > 0 AND channel <> 'frontchannel'
         AND (leased_until IS NULL OR leased_until <> 0)`,
    );
    return Number(rows[0]?.['due']);
  }

  /**
   * Takes the lease of a due logout: until the lease ends, this replica works on the logout and the others leave it.
   * If the replica crashes, another one can claim the logout when the lease has ended.
   *
   * @returns false if the logout is no longer due, or another replica has its lease
   */
  async claim(logout: DueLogout): Promise<boolean> {
    return (await this.claimAll([logout.id], leaseEndOf(logout))) === 1;
  }

  /**
   * Gives a claimed logout back before its lease ends.
   *
   * @param dueAt when it is due again, null if its tokens need no more work. It has no effect if tokens were stored
   *   during the lease: the replica may not have seen them, so the due time that they brought stays (see makeDue)
   * @param options.kept all remaining tokens wait for the end of another session
   * @param options.someKept some tokens wait for it: the retention of the logout starts again
   * @returns false if the lease has ended: another replica may have claimed the logout, so nothing changes
   */
  async release(logout: DueLogout, dueAt: number | null, { kept = false, someKept = false } = {}): Promise<boolean> {
    const leasedUntil = dueAt === null && isOfEveryone(logout) ? CLOSED : null;
    return (await this.releaseAll([logout.id], leaseEndOf(logout), dueAt, { kept, someKept, leasedUntil })) === 1;
  }

  /**
   * Closes due logouts whose sessions, and their siblings, have no tokens, many at a time: most due logouts are like this, and closing each
   * one alone costs two commits. A single due logout, and a logout of everyone, are left to {@link claim}.
   *
   * @returns how many of the checked logouts may have tokens; they stay due
   */
  async closeLogoutsWithoutTokens(limit: number): Promise<number> {
    const due = await this.findDue(limit);
    const [first] = due;
    if (first === undefined || due.length === 1) return 0;
    const ids = due.map(({ id }) => id);
    const leaseEnd = leaseEndOf(first);
    // claim first: a sign-in or refresh that stores tokens from now on changes the due time (see makeDue)
    await this.claimAll(ids, leaseEnd);
    const { session, sessionTokens } = this.tables;
    const tokens = `${sessionTokens} t ON t.session_id = s.id`;
    const { rows } = await this.database.read(
      `SELECT l.id FROM ${this.tables.logout} l WHERE l.id IN (${placeholders(ids)}) AND l.leased_until = ?
         AND ${noneOf(`${session} s JOIN ${tokens}`)}
         AND NOT EXISTS (SELECT 1 FROM ${session} e JOIN ${session} s ON ${IS_SIBLING} JOIN ${tokens}
           WHERE e.target_session = l.target)`,
      [...ids, leaseEnd],
    );
    const tokenless = new Set(rows.map((row) => String(row['id'])).filter((id) => !isOfEveryone({ id })));
    await this.releaseAll([...tokenless], leaseEnd, null);
    const left = ids.filter((id) => !tokenless.has(id));
    await this.releaseAll(left, leaseEnd, first.now);
    return left.length;
  }

  /** One statement, so no two replicas get the lease of one logout: the second one finds it leased, and changes nothing. */
  private async claimAll(ids: readonly string[], leaseEnd: number): Promise<number> {
    const { now } = this.database.dialect;
    // the due time moves to the lease's end: that keeps the logout out of findDue, and shows at release whether makeDue
    // has set another time. A lease must end later than now, because its end tells it from the lease before
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.logout} SET revocation_due_at = ?, leased_until = ?
       WHERE id IN (${placeholders(ids)}) AND ${claimable(now)} AND ? > ${now}`,
      [leaseEnd, leaseEnd, ...ids, leaseEnd],
    );
    return affected;
  }

  private async releaseAll(
    ids: readonly string[],
    leaseEnd: number,
    dueAt: number | null,
    { kept = false, someKept = false, leasedUntil = null as number | null } = {},
  ): Promise<number> {
    if (ids.length === 0) return 0;
    const { dialect } = this.database;
    const keepLonger = someKept ? `, keep_until = ${dialect.greatest('keep_until', `${dialect.now} + ?`)}` : '';
    // MySQL assigns from left to right, so the lease is cleared last
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.logout}
       SET revocation_due_at = CASE WHEN revocation_due_at = leased_until THEN ? ELSE revocation_due_at END
         ${keepLonger}, leased_until = ?
       WHERE id IN (${placeholders(ids)}) AND leased_until = ? AND leased_until > ${dialect.now}`,
      [dueAt, ...(someKept ? [this.settings.logoutRetention] : []), kept ? 0 : leasedUntil, ...ids, leaseEnd],
    );
    return affected;
  }

  private get tables(): SessionTables {
    return this.database.tables;
  }
}

/** Condition: the logout is due, and no replica has its lease. */
const claimable = (now: string) => `revocation_due_at <= ${now} AND (leased_until IS NULL OR leased_until <= ${now})`;

/** When the lease ends that a replica takes after this read: the database's clock, milliseconds. It identifies the lease. */
const leaseEndOf = ({ now }: DueLogout) => now + LEASE;
