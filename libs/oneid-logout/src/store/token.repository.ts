import { type SqlRow } from '../database/sql.js';
import { endsSql, endsWithEveryoneSql, notEndedSql, notEndedWithEveryoneSql } from './rule-sql.js';
import { IS_SIBLING, notEnded, REVOKING } from './sql-conditions.js';
import { columnsBeside } from './target-columns.js';
import { type SessionDatabase } from '../database/session-database.js';
import { type SessionTables } from '../database/session-tables.js';

/** The tokens of a session as the database stores them: ciphertext. */
export interface StoredTokens {
  readonly sessionId: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly idToken: string | null;
  readonly refreshToken: string | null;
  /** When the provider first said that it has revoked the refresh token: the database's clock, milliseconds. */
  readonly revokedAt: number | null;
  /** The target of the session's `sid`; null for a session without `sid`. */
  readonly targetSid: string | null;
}

const TOKEN_COLUMNS = `t.session_id, t.id_token, t.refresh_token, t.revoked_at, s.issuer, s.client_id,
  CASE WHEN s.sid IS NOT NULL THEN s.target_sid END AS target_sid`;

/** How many tokens one query looks at for the sessions of a logout of everyone. */
const WINDOW = 256;

/** The tokens of the sessions, as ciphertext. */
export class TokenRepository {
  constructor(private readonly database: SessionDatabase) {}

  /** How long a stored token may be, characters. */
  get maxTokenLength(): number {
    return this.database.dialect.maxTextLength;
  }

  async find(sessionId: string): Promise<StoredTokens | undefined> {
    const { rows } = await this.database.read(
      `SELECT ${TOKEN_COLUMNS} FROM ${this.tables.sessionTokens} t JOIN ${this.tables.session} s ON s.id = t.session_id
       WHERE t.session_id = ?`,
      [sessionId],
    );
    return rows[0] && toTokens(rows[0]);
  }

  /**
   * Stores tokens of a session in place of its old tokens; null keeps the old one. It does not read the old tokens and
   * write them back: a refresh at the same time may have stored newer tokens.
   */
  async save(sessionId: string, idToken: string | null, refreshToken: string | null): Promise<void> {
    if (await this.update(sessionId, idToken, refreshToken)) return;
    await this.insert(sessionId, idToken, refreshToken);
    await this.update(sessionId, idToken, refreshToken);
  }

  private async update(sessionId: string, idToken: string | null, refreshToken: string | null): Promise<boolean> {
    // the provider has not answered for the new refresh token
    const unrevoked = refreshToken === null ? '' : ', revoked_at = NULL';
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.sessionTokens}
       SET id_token = COALESCE(?, id_token), refresh_token = COALESCE(?, refresh_token) ${unrevoked}
       WHERE session_id = ?`,
      [idToken, refreshToken, sessionId],
    );
    return affected > 0;
  }

  /**
   * Stores a session's first tokens; tokens that are already stored stay. It inserts only if the session exists: the
   * purge finds tokens by their session.
   */
  async insert(sessionId: string, idToken: string | null, refreshToken: string | null): Promise<void> {
    await this.database.run(
      this.database.dialect.insertOrIgnore(
        `INSERT INTO ${this.tables.sessionTokens} (session_id, id_token, refresh_token)
         SELECT s.id, ?, ? FROM ${this.tables.session} s WHERE s.id = ?`,
      ),
      [idToken, refreshToken, sessionId],
    );
  }

  /**
   * Erases these tokens of a session, unless newer tokens have replaced them.
   *
   * @param options.unlessRevoking also keeps the tokens if a logout is about to revoke them
   */
  async erase(tokens: StoredTokens, { unlessRevoking = false } = {}): Promise<void> {
    const { session, sessionTokens } = this.tables;
    const condition = unlessRevoking
      ? `AND EXISTS (SELECT 1 FROM ${session} s WHERE s.id = ? AND ${this.noneRevoking})`
      : '';
    // no two ciphertexts are equal, so one of them identifies the tokens; every row has at least one
    await this.database.run(
      `DELETE FROM ${sessionTokens} WHERE session_id = ? AND COALESCE(refresh_token, id_token) = ? ${condition}`,
      [tokens.sessionId, tokens.refreshToken ?? tokens.idToken, ...(unlessRevoking ? [tokens.sessionId] : [])],
    );
  }

  /**
   * Notes that the provider has said that it has revoked this refresh token, unless a newer one has replaced it.
   *
   * @param revokedAt the database's clock, milliseconds
   */
  async noteRevoked({ sessionId, refreshToken }: StoredTokens, revokedAt: number): Promise<void> {
    await this.database.run(
      `UPDATE ${this.tables.sessionTokens} SET revoked_at = ? WHERE session_id = ? AND refresh_token = ?`,
      [revokedAt, sessionId, refreshToken],
    );
  }

  /** Is another session of the same client and the same browser login (`sid`) alive? */
  async hasAliveSibling({ sessionId, clientId, targetSid }: StoredTokens): Promise<boolean> {
    if (targetSid === null) return false;
    const { logout, session } = this.tables;
    const notEndedByUser = ['?', ...columnsBeside('sid').map((column) => `s.${column}`)].map((target) =>
      notEndedSql(logout, target),
    );
    // the newest first, by index: it is the most likely to be alive
    const { rows } = await this.database.read(
      `SELECT s.registered_at FROM ${session} s
       WHERE s.target_sid = ? AND s.client_id = ? AND s.id <> ? AND s.expires_at > ${this.database.dialect.now}
         AND ${notEndedByUser.join(' AND ')} AND ${notEndedWithEveryoneSql(this.tables)}
       ORDER BY s.registered_at DESC LIMIT 1`,
      [targetSid, clientId, sessionId, targetSid, targetSid, targetSid, targetSid],
      { order: 'registered_at DESC' },
    );
    return rows.length > 0;
  }

  /**
   * Returns the tokens of the sessions that this logout ends, ordered by session id. For a front-channel logout, it
   * leaves out tokens that another logout is about to revoke.
   */
  async findEndedBy(logoutId: string, afterSessionId: string, limit: number): Promise<StoredTokens[]> {
    const { rows } = await this.database.read(
      `SELECT ${TOKEN_COLUMNS} FROM ${this.tables.logout} l
       JOIN ${this.tables.session} s ON ${endsSql}
       JOIN ${this.tables.sessionTokens} t ON t.session_id = s.id
       WHERE l.id = ? AND t.session_id > ? AND (l.channel <> 'frontchannel' OR (${this.noneRevoking}))
       ORDER BY t.session_id LIMIT ${limit}`,
      [logoutId, afterSessionId],
      { order: 'session_id' },
    );
    return rows.map(toTokens);
  }

  /**
   * Does {@link findEndedBy} for a logout of everyone. No index finds the sessions of such a logout, so it looks at all
   * tokens in the order of their session ids, some at a time, until it finds any of the logout.
   *
   * @returns none only when no further tokens are left
   */
  async findEndedWithEveryone(logoutId: string, afterSessionId: string, limit: number): Promise<StoredTokens[]> {
    const { logout, session, sessionTokens } = this.tables;
    // no join: for it, PostgreSQL may read all sessions
    const isEnded = `SELECT 1 FROM ${session} s JOIN ${logout} l ON ${endsWithEveryoneSql(this.tables)}
      WHERE s.id = t.session_id AND l.id = ?`;
    for (let after = afterSessionId; ;) {
      const last = await this.findWindowEnd(after);
      if (last === undefined) return [];
      const { rows } = await this.database.read(
        `SELECT ${TOKEN_COLUMNS} FROM (
           SELECT t.session_id FROM ${sessionTokens} t WHERE t.session_id > ? AND t.session_id <= ? AND (${isEnded}) = 1
           ORDER BY t.session_id LIMIT ${limit}) found
         JOIN ${sessionTokens} t ON t.session_id = found.session_id
         JOIN ${session} s ON s.id = found.session_id
         ORDER BY t.session_id`,
        [after, last, logoutId],
        { order: 'session_id' },
      );
      if (rows.length > 0) return rows.map(toTokens);
      after = last;
    }
  }

  /** The last session id of the next tokens to look at; undefined when there are none. */
  private async findWindowEnd(afterSessionId: string): Promise<string | undefined> {
    const { rows } = await this.database.read(
      `SELECT MAX(w.session_id) AS last_id FROM (SELECT t.session_id FROM ${this.tables.sessionTokens} t
         WHERE t.session_id > ? ORDER BY t.session_id LIMIT ${WINDOW}) w`,
      [afterSessionId],
    );
    const last = rows[0]?.['last_id'];
    return typeof last === 'string' ? last : undefined;
  }

  /**
   * For a logout that ends one session: returns the tokens of the other sessions of its client and `sid` that wait for
   * their revocation, ordered by session id. They may have waited for the end of this session. A logout of a `sid` or a
   * `sub` ends these sessions itself.
   */
  async findBeside(logoutId: string, afterSessionId: string, limit: number): Promise<StoredTokens[]> {
    const { logout, session, sessionTokens } = this.tables;
    const { rows } = await this.database.read(
      `SELECT ${TOKEN_COLUMNS} FROM ${logout} l JOIN ${session} e ON e.target_session = l.target
       JOIN ${session} s ON ${IS_SIBLING} JOIN ${sessionTokens} t ON t.session_id = s.id
       WHERE l.id = ? AND t.session_id > ? AND l.channel <> 'frontchannel' AND NOT (${this.noneRevoking})
       ORDER BY t.session_id LIMIT ${limit}`,
      [logoutId, afterSessionId],
      { order: 'session_id' },
    );
    return rows.map(toTokens);
  }

  /** Condition: no logout is about to revoke the tokens of session `s`. */
  private get noneRevoking(): string {
    return notEnded(this.tables, `AND ${REVOKING}`);
  }

  private get tables(): SessionTables {
    return this.database.tables;
  }
}

function toTokens(row: SqlRow): StoredTokens {
  const { id_token: idToken, refresh_token: refreshToken, revoked_at: revokedAt, target_sid: targetSid } = row;
  return {
    sessionId: String(row['session_id']),
    issuer: String(row['issuer']),
    clientId: String(row['client_id']),
    idToken: typeof idToken === 'string' ? idToken : null,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : null,
    revokedAt: revokedAt === null ? null : Number(revokedAt),
    targetSid: typeof targetSid === 'string' ? targetSid : null,
  };
}
