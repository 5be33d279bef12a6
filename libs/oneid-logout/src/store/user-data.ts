import { type SessionDatabase } from '../database/session-database.js';
import { type RetentionSettings } from './logout-inserts.js';
import { notEnded, placeholders } from './sql-conditions.js';

/** How many sessions one statement erases. Small, because SQLite runs inside this process. */
export const ERASED_AT_ONCE = 100;

/** Erases who ended the sessions of these targets, and why. */
export const eraseAuthorsSql = (logout: string, targets: readonly string[]): string =>
  `UPDATE ${logout} SET author = NULL, reason = NULL
   WHERE target IN (${placeholders(targets)}) AND (author IS NOT NULL OR reason IS NOT NULL)`;

/** What the database holds of a user: in clear, or encrypted. */
export class UserData {
  constructor(
    private readonly database: SessionDatabase,
    private readonly settings: Pick<RetentionSettings, 'storesTokens'>,
  ) {}

  /**
   * Erases what the ended sessions of a user hold of the user, and the authors of their logouts. It keeps the sessions'
   * hashes, and the refresh tokens that must be revoked first. A sign-in that is newer than all logouts keeps its data.
   * After an error, call it again: it begins anew.
   *
   * @param targetSub the target of the user
   * @returns how many refresh tokens of these sessions are left to revoke
   */
  async erase(targetSub: string): Promise<number> {
    await this.eraseAuthors([targetSub]);
    let [registeredAt, lastId] = [0, ''];
    for (;;) {
      const { rows } = await this.database.read(
        `SELECT s.id, s.target_session, s.registered_at FROM ${this.tables.session} s
         WHERE s.target_sub = ? AND s.registered_at >= ? AND (s.registered_at > ? OR s.id > ?) AND ${this.isEnded}
         ORDER BY s.registered_at, s.id LIMIT ${ERASED_AT_ONCE}`,
        [targetSub, registeredAt, registeredAt, lastId],
        { order: 'registered_at, id' },
      );
      const last = rows.at(-1);
      if (last === undefined) return this.countTokens(targetSub);
      [registeredAt, lastId] = [Number(last['registered_at']), String(last['id'])];
      await this.eraseAuthors(rows.map((row) => String(row['target_session'])));
      await this.eraseSessions(rows.map((row) => String(row['id'])));
    }
  }

  /**
   * Erases what a session holds of its user, as {@link erase} does.
   *
   * @param sessionId a logout must have ended the session
   */
  async eraseSession(sessionId: string): Promise<void> {
    await this.eraseSessions([sessionId]);
  }

  private async eraseSessions(ids: readonly string[]): Promise<void> {
    const { session, sessionAlias, sessionActivity, sessionTokens } = this.tables;
    // without secrets, no replica can revoke a refresh token
    const useless = this.settings.storesTokens ? 'AND refresh_token IS NULL' : '';
    await this.run(ids, `DELETE FROM ${sessionTokens} WHERE session_id IN (IDS) ${useless}`);
    // only a logout page at OneID needs the ID token, and its session is over
    await this.run(ids, `UPDATE ${sessionTokens} SET id_token = NULL WHERE session_id IN (IDS)`);
    await this.run(ids, `DELETE FROM ${sessionAlias} WHERE session_id IN (IDS)`);
    // an empty sid, because a session without sid has another kind of target: see IS_SIBLING
    await this.run(
      ids,
      `UPDATE ${session} SET sub = '', sid = CASE WHEN sid IS NOT NULL THEN '' END, label = NULL WHERE id IN (IDS)`,
    );
    // last: a replica records no use of a session without sub
    await this.run(ids, `DELETE FROM ${sessionActivity} WHERE session_id IN (IDS)`);
  }

  private async eraseAuthors(targets: readonly string[]): Promise<void> {
    await this.database.run(eraseAuthorsSql(this.tables.logout, targets), targets);
  }

  private async countTokens(targetSub: string): Promise<number> {
    const { session, sessionTokens } = this.tables;
    const { rows } = await this.database.read(
      `SELECT COUNT(*) AS tokens FROM ${session} s JOIN ${sessionTokens} t ON t.session_id = s.id
       WHERE s.target_sub = ? AND ${this.isEnded}`,
      [targetSub],
    );
    return Number(rows[0]?.['tokens']);
  }

  /** @param sql with `IDS` where the list of ids stands */
  private async run(ids: readonly string[], sql: string): Promise<void> {
    await this.database.run(sql.replace('IDS', placeholders(ids)), ids);
  }

  /** Condition: a logout ends session `s`. */
  private get isEnded(): string {
    return `NOT (${notEnded(this.tables)})`;
  }

  private get tables() {
    return this.database.tables;
  }
}
