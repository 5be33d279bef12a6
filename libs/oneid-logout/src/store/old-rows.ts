import { type SessionDatabase } from '../database/session-database.js';
import { isOfEveryoneSql } from './rule-sql.js';
import { type PurgeCursor, type PurgeProgress } from './purge-progress.js';
import { isTrue, noneOf, notEnded, placeholders, REVOKING } from './sql-conditions.js';
import { eraseAuthorsSql } from './user-data.js';

/** How long an expired session is kept, milliseconds: for a day, the answer is `expired` and not `unknown`. */
const EXPIRED_SESSION_RETENTION = 24 * 60 * 60 * 1000;

/** The sessions, tokens, logouts and remembered sign-ins that no answer needs any more. */
export class OldRows {
  constructor(private readonly database: SessionDatabase) {}

  /**
   * Deletes rows on which no answer depends any more: tokens when their session has expired, sessions a day later, and
   * logouts and remembered sign-ins past their retention. A logout that still ends a stored session stays, because a clock may have stepped.
   * Rows also stay while their refresh tokens wait for revocation.
   *
   * @param limit how many sessions, logouts and sign-ins to look at; eight times as many sessions for their tokens
   * @param progress how far earlier calls have come; this call moves it on
   * @param now the database's clock, milliseconds, as the caller has checked it. One time for the whole call: a clock that
   *   jumps ahead meanwhile deletes nothing
   * @returns how many rows were deleted, without the tokens, aliases and activities that are deleted with their session
   */
  async purge(limit: number, progress: PurgeProgress, now: number): Promise<number> {
    const { tables } = this.database;
    const { session, sessionAlias, sessionActivity, logout, sessionTokens, loginUser } = tables;
    const noneRevoking = notEnded(tables, `AND ${REVOKING}`);
    // for a logout of everyone, the oldest session of all clients decides: no index finds the sessions of one client
    const oldest = `COALESCE((SELECT MIN(s.registered_at) FROM ${session} s), ${Number.MAX_SAFE_INTEGER})`;
    const endsNone = `${noneOf(`${session} s`)} AND (NOT (${isOfEveryoneSql}) OR l.registered_until < ${oldest})`;
    // no EXISTS: for it, PostgreSQL may read all tokens
    const hasTokens = `(SELECT t.session_id FROM ${sessionTokens} t WHERE t.session_id = s.id) IS NOT NULL`;
    const sessions = (size: number) => `(
      SELECT s.* FROM ${session} s WHERE s.expires_at < ? AND s.expires_at >= ?
        AND (s.expires_at > ? OR s.id > ?) ORDER BY s.expires_at, s.id LIMIT ${size}) s`;
    const logouts = `(
      SELECT l.* FROM ${logout} l WHERE l.keep_until < ? AND l.keep_until >= ?
        AND (l.keep_until > ? OR l.id > ?) ORDER BY l.keep_until, l.id LIMIT ${limit}) l`;

    // each subquery reads a page by index, the oldest first: without its own LIMIT, a database may read the whole table
    const gone = [
      await this.deletePage(
        progress.sessions,
        limit,
        now - EXPIRED_SESSION_RETENTION,
        `SELECT s.id, s.expires_at AS ended_at, ${noneRevoking} AS deletable FROM ${sessions(limit)}`,
        async (ids) => {
          await this.deleteIds(sessionTokens, 'session_id', ids);
          await this.deleteIds(sessionAlias, 'session_id', ids);
          await this.deleteIds(sessionActivity, 'session_id', ids);
          await this.eraseAuthors(ids);
          await this.deleteIds(session, 'id', ids);
        },
      ),
      await this.deletePage(
        progress.logouts,
        limit,
        now,
        `SELECT l.id, l.keep_until AS ended_at, NOT (${REVOKING}) AND ${endsNone} AS deletable FROM ${logouts}`,
        (ids) => this.deleteIds(logout, 'id', ids),
      ),
      // most expired sessions have no tokens any more, so this page is larger
      await this.deletePage(
        progress.tokens,
        limit * 8,
        now,
        `SELECT s.id, s.expires_at AS ended_at, ${hasTokens} AND ${noneRevoking} AS deletable FROM ${sessions(limit * 8)}`,
        (ids) => this.deleteIds(sessionTokens, 'session_id', ids),
      ),
      await this.deletePage(
        progress.signIns,
        limit,
        now,
        `SELECT u.target_sid AS id, u.keep_until AS ended_at, 1 AS deletable FROM ${loginUser} u
         WHERE u.keep_until < ? AND u.keep_until >= ? AND (u.keep_until > ? OR u.target_sid > ?)
         ORDER BY u.keep_until, u.target_sid LIMIT ${limit}`,
        // a sign-in may have extended the time meanwhile
        (ids) => this.deleteIds(loginUser, 'target_sid', ids, ['AND keep_until < ?', now]),
      ),
    ];
    return gone.reduce((sum, count) => sum + count);
  }

  private async deletePage(
    cursor: PurgeCursor,
    size: number,
    endedBefore: number,
    select: string,
    deleteAll: (ids: readonly string[]) => Promise<void>,
  ): Promise<number> {
    const { rows } = await this.database.read(select, [endedBefore, cursor.endedAt, cursor.endedAt, cursor.id], {
      order: 'ended_at, id',
    });
    const ids = rows.filter((row) => isTrue(row['deletable'])).map((row) => String(row['id']));
    await deleteAll(ids);
    cursor.moveTo(rows, rows.length === size);
    return ids.length;
  }

  /** Without its session, nothing would tell whose data the author of a session's logout is: see `UserData`. */
  private async eraseAuthors(sessionIds: readonly string[]): Promise<void> {
    if (sessionIds.length === 0) return;
    const { session, logout } = this.database.tables;
    const { rows } = await this.database.read(
      `SELECT s.target_session FROM ${session} s WHERE s.id IN (${placeholders(sessionIds)})`,
      sessionIds,
    );
    const targets = rows.map((row) => String(row['target_session']));
    if (targets.length > 0) await this.database.run(eraseAuthorsSql(logout, targets), targets);
  }

  private async deleteIds(
    table: string,
    column: string,
    ids: readonly string[],
    [condition, ...parameters]: readonly [string, ...number[]] = [''],
  ): Promise<void> {
    if (ids.length === 0) return;
    await this.database.run(`DELETE FROM ${table} WHERE ${column} IN (${placeholders(ids)}) ${condition}`, [
      ...ids,
      ...parameters,
    ]);
  }
}
