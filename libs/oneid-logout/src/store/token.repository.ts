import { type SqlRow } from '../database/sql.js';
import { type LogoutChannel } from '../rule/logout.js';
import { boundSql, endsSql } from './rule-sql.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { nowOnce } from '../database/sql-dialect.js';
import { FRONTCHANNEL_TOKEN_RETENTION, noneOf, REVOKING } from './sql-conditions.js';
import { type SessionDatabase } from '../database/session-database.js';
import { type SessionTables } from '../database/session-tables.js';

/** The tokens of a session as they lie in the database: ciphertext. */
export interface StoredTokens {
  readonly sessionId: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly idToken: string | null;
  readonly refreshToken: string | null;
}

/** A recorded logout whose sessions may have refresh tokens to revoke. */
export interface DueLogout {
  readonly id: string;
  readonly channel: LogoutChannel;
  /** The database's clock, milliseconds. */
  readonly dueAt: number;
  /** When this was read: the database's clock, milliseconds. */
  readonly now: number;
  /** The database's clock, milliseconds. */
  readonly recordedAt: number;
  /** Past its retention: no token of its sessions can be alive, so there is no use in trying on. */
  readonly overdue: boolean;
}

/** For how long one replica has a due logout to itself: milliseconds. */
export const LEASE = 60_000;

const TOKEN_COLUMNS = 't.session_id, t.id_token, t.refresh_token, s.issuer, s.client_id';

/** The token rows beside the sessions, and the logouts that still have refresh tokens to revoke. */
export class TokenRepository {
  constructor(private readonly database: SessionDatabase) {}

  async find(sessionId: string): Promise<StoredTokens | undefined> {
    const { rows } = await this.database.run(
      `SELECT ${TOKEN_COLUMNS} FROM ${this.tables.sessionTokens} t JOIN ${this.tables.session} s ON s.id = t.session_id
       WHERE t.session_id = ?`,
      [sessionId],
    );
    return rows[0] && toTokens(rows[0]);
  }

  /**
   * Stores tokens of a session in place of those it had; null leaves what there is. Nothing is read and written back: a
   * refresh at the same time may have brought something newer.
   */
  async save(sessionId: string, idToken: string | null, refreshToken: string | null): Promise<void> {
    if (await this.update(sessionId, idToken, refreshToken)) return;
    await this.insert(sessionId, idToken, refreshToken);
    await this.update(sessionId, idToken, refreshToken);
  }

  private async update(sessionId: string, idToken: string | null, refreshToken: string | null): Promise<boolean> {
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.sessionTokens}
       SET id_token = COALESCE(?, id_token), refresh_token = COALESCE(?, refresh_token) WHERE session_id = ?`,
      [idToken, refreshToken, sessionId],
    );
    return affected > 0;
  }

  /** Stores a session's first tokens; when it has some already, those stay. Without its session nobody would purge them. */
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
   * Erases these tokens of a session, unless others have taken their place by now.
   *
   * @param options.unlessRevoking or a logout has come that will have them revoked
   */
  async erase(tokens: StoredTokens, { unlessRevoking = false } = {}): Promise<void> {
    const { session, sessionTokens } = this.tables;
    const condition = unlessRevoking
      ? `AND EXISTS (SELECT 1 FROM ${session} s WHERE s.id = ? AND ${this.noneRevoking})`
      : '';
    // no two ciphertexts are equal, so one of them tells; and one of them is always there
    await this.database.run(
      `DELETE FROM ${sessionTokens} WHERE session_id = ? AND COALESCE(refresh_token, id_token) = ? ${condition}`,
      [tokens.sessionId, tokens.refreshToken ?? tokens.idToken, ...(unlessRevoking ? [tokens.sessionId] : [])],
    );
  }

  /** Has the logouts that end this session look for tokens once more. */
  async makeDue(session: SessionFacts): Promise<void> {
    const targets = targetsOf(session);
    const { now } = this.database.dialect;
    // who holds the lease may be past this session: it shall find the time changed, and the logout come up again
    await this.database.run(
      `UPDATE ${this.tables.logout} SET tokens_due_at = CASE
         WHEN channel = 'frontchannel' THEN ${now} + ${FRONTCHANNEL_TOKEN_RETENTION}
         WHEN tokens_due_at > ${now} AND tokens_due_at <= ${now} + ${LEASE} THEN tokens_due_at + 1
         ELSE ${now} END
       WHERE id IN (SELECT id FROM (SELECT l.id FROM ${this.tables.logout} l
         WHERE l.target IN (${targets.map(() => '?').join(', ')}) AND ${boundSql('?', '?')}) due)`,
      [...targets, session.issuedAt, session.registeredAt],
    );
  }

  /** Logouts whose sessions may have refresh tokens to revoke, the longest due first. */
  async findDue(limit: number): Promise<DueLogout[]> {
    const { now } = this.database.dialect;
    const { rows } = await this.database.run(
      `SELECT l.id, l.channel, l.tokens_due_at, l.recorded_at, ${now} AS now_at,
         CASE WHEN l.keep_until < ${now} THEN 1 ELSE 0 END AS overdue
       FROM ${this.tables.logout} l WHERE l.tokens_due_at <= ${nowOnce(this.database.dialect)} ORDER BY l.tokens_due_at LIMIT ${limit}`,
    );
    return rows.map((row) => ({
      id: String(row['id']),
      channel: row['channel'] as LogoutChannel,
      dueAt: Number(row['tokens_due_at']),
      now: Number(row['now_at']),
      recordedAt: Number(row['recorded_at']),
      overdue: Number(row['overdue']) === 1,
    }));
  }

  /** How many logouts still have refresh tokens to revoke, or to look for. */
  async countDue(): Promise<number> {
    const { rows } = await this.database.run(`SELECT COUNT(*) AS due FROM ${this.tables.logout} l WHERE ${REVOKING}`);
    return Number(rows[0]?.['due']);
  }

  /** Moves a logout's due time, unless somebody else moved it first; null when nothing is left to do. */
  async moveDue(logoutId: string, from: number, to: number | null): Promise<boolean> {
    const { affected } = await this.database.run(
      `UPDATE ${this.tables.logout} SET tokens_due_at = ? WHERE id = ? AND tokens_due_at = ?`,
      [to, logoutId, from],
    );
    return affected === 1;
  }

  /**
   * Notes of all logouts that are due, but whose sessions have no tokens, that nothing is left to do: most are such, and
   * each by itself would cost two commits. A lone one is left to {@link moveDue}.
   *
   * @returns how many of those that were looked at have tokens; they are due as before
   */
  async closeLogoutsWithoutTokens(limit: number): Promise<number> {
    const due = await this.findDue(limit);
    const [first] = due;
    if (first === undefined || due.length === 1) return 0;
    const ids = due.map(({ id }) => id);
    const leased = first.now + LEASE;
    // no parameters, for which PostgreSQL would take texts
    const times = due.map(({ dueAt }) => `WHEN ? THEN ${dueAt}`);
    // first the lease: tokens that are stored from now on change the time once more, and are not overlooked
    await this.database.run(
      `UPDATE ${this.tables.logout} SET tokens_due_at = ?
       WHERE id IN (${placesOf(ids)}) AND tokens_due_at = CASE id ${times.join(' ')} END`,
      [leased, ...ids, ...ids],
    );
    const { rows } = await this.database.run(
      `SELECT l.id FROM ${this.tables.logout} l WHERE l.id IN (${placesOf(ids)}) AND l.tokens_due_at = ?
         AND ${noneOf(`${this.tables.session} s JOIN ${this.tables.sessionTokens} t ON t.session_id = s.id`)}`,
      [...ids, leased],
    );
    const tokenless = new Set(rows.map((row) => String(row['id'])));
    await this.moveAllDue([...tokenless], leased, null);
    const left = ids.filter((id) => !tokenless.has(id));
    await this.moveAllDue(left, leased, first.now);
    return left.length;
  }

  private async moveAllDue(ids: readonly string[], from: number, to: number | null): Promise<void> {
    if (ids.length === 0) return;
    await this.database.run(
      `UPDATE ${this.tables.logout} SET tokens_due_at = ? WHERE id IN (${placesOf(ids)}) AND tokens_due_at = ?`,
      [to, ...ids, from],
    );
  }

  /**
   * Tokens of the sessions that this logout ends, in the order of their session ids. The front-channel's are only those
   * that no other logout is about to revoke.
   */
  async findEndedBy(logoutId: string, afterSessionId: string, limit: number): Promise<StoredTokens[]> {
    const { rows } = await this.database.run(
      `SELECT ${TOKEN_COLUMNS} FROM ${this.tables.logout} l
       JOIN ${this.tables.session} s ON ${endsSql}
       JOIN ${this.tables.sessionTokens} t ON t.session_id = s.id
       WHERE l.id = ? AND t.session_id > ? AND (l.channel <> 'frontchannel' OR (${this.noneRevoking}))
       ORDER BY t.session_id LIMIT ${limit}`,
      [logoutId, afterSessionId],
    );
    return rows.map(toTokens);
  }

  /** No logout is about to have the tokens of session `s` revoked. */
  private get noneRevoking(): string {
    return noneOf(`${this.tables.logout} l`, `AND ${REVOKING}`);
  }

  private get tables(): SessionTables {
    return this.database.tables;
  }
}

const placesOf = (values: readonly unknown[]) => values.map(() => '?').join(', ');

function toTokens(row: SqlRow): StoredTokens {
  const { id_token: idToken, refresh_token: refreshToken } = row;
  return {
    sessionId: String(row['session_id']),
    issuer: String(row['issuer']),
    clientId: String(row['client_id']),
    idToken: typeof idToken === 'string' ? idToken : null,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : null,
  };
}
