import { type SessionDatabase } from '../database/session-database.js';
import { type SqlRow } from '../database/sql.js';
import { type Session } from '../rule/session.js';
import { isTrue, notEnded, placeholders } from './sql-conditions.js';

/** A position in the order of the sign-ins. */
export type SignInPosition = Pick<Session, 'registeredAt' | 'id'>;

/** The sessions of which no use is recorded, as far as one call has looked. */
export interface NeverUsed {
  /** Those that are alive but for their idleness. */
  readonly alive: readonly Pick<Session, 'id' | 'issuer'>[];
  /** The last session of the page; undefined when the page is not full. */
  readonly last: SignInPosition | undefined;
}

/** The sessions whose use is recorded, as far as one call has looked. */
export interface LongUnused {
  readonly alive: NeverUsed['alive'];
  /** All sessions of the page, also ended ones. */
  readonly ids: readonly string[];
}

/**
 * Finds the sessions that have been unused since a time. An index on the recorded uses finds the sessions with a use. Those
 * without one are found in the order of their sign-ins, so the caller remembers how far it has looked.
 */
export class IdleSessions {
  constructor(private readonly database: SessionDatabase) {}

  /**
   * Returns sessions whose recorded use is this old, the oldest use first. Call {@link forgetUses} before the next call.
   *
   * @param until the latest use: the database's clock, milliseconds
   * @param now the database's clock, milliseconds
   */
  async findLongUnused(until: number, now: number, limit: number): Promise<LongUnused> {
    const { session, sessionActivity } = this.database.tables;
    const { rows } = await this.database.read(
      `SELECT a.session_id AS id, a.active_at, s.issuer, CASE WHEN ${this.isAlive} THEN 1 ELSE 0 END AS alive
       FROM (SELECT a.session_id, a.active_at FROM ${sessionActivity} a WHERE a.active_at <= ?
         ORDER BY a.active_at, a.session_id LIMIT ${limit}) a
       LEFT JOIN ${session} s ON s.id = a.session_id
       ORDER BY a.active_at, a.session_id`,
      [now, until],
      { order: 'active_at, id' },
    );
    return { alive: aliveOf(rows), ids: rows.map((row) => String(row['id'])) };
  }

  /**
   * Deletes the recorded uses of sessions that are over. A use after `until` stays.
   *
   * @param until as in {@link findLongUnused}
   */
  async forgetUses(sessionIds: readonly string[], until: number): Promise<void> {
    const ids = [...sessionIds].sort();
    await this.database.run(
      `DELETE FROM ${this.database.tables.sessionActivity}
       WHERE session_id IN (${placeholders(ids)}) AND COALESCE(active_at, 0) <= ?`,
      [...ids, until],
    );
  }

  /**
   * Returns sessions that were registered until this time, and of which no use is recorded, the earliest first.
   *
   * @param until the database's clock, milliseconds
   * @param now the database's clock, milliseconds
   * @param after where the page before has ended
   */
  async findNeverUsed(until: number, now: number, after: SignInPosition, limit: number): Promise<NeverUsed> {
    const { session, sessionActivity } = this.database.tables;
    // no EXISTS: for it, PostgreSQL may read the whole table
    const use = `(SELECT a.active_at FROM ${sessionActivity} a WHERE a.session_id = s.id)`;
    const { rows } = await this.database.read(
      `SELECT s.id, s.registered_at, s.issuer, CASE WHEN ${use} IS NULL AND ${this.isAlive} THEN 1 ELSE 0 END AS alive
       FROM (SELECT s.* FROM ${session} s
         WHERE s.registered_at <= ? AND s.registered_at >= ? AND (s.registered_at > ? OR s.id > ?)
         ORDER BY s.registered_at, s.id LIMIT ${limit}) s
       ORDER BY s.registered_at, s.id`,
      [now, until, after.registeredAt, after.registeredAt, after.id],
      { order: 'registered_at, id' },
    );
    const last = rows.length < limit ? undefined : rows.at(-1);
    return {
      alive: aliveOf(rows),
      last: last && { registeredAt: Number(last['registered_at']), id: String(last['id']) },
    };
  }

  /** Condition: session `s` exists, and is neither expired nor ended. Its parameter is the time now. */
  private get isAlive(): string {
    return `s.expires_at > ? AND ${notEnded(this.database.tables)}`;
  }
}

function aliveOf(rows: readonly SqlRow[]): Pick<Session, 'id' | 'issuer'>[] {
  return rows
    .filter((row) => isTrue(row['alive']))
    .map((row) => ({ id: String(row['id']), issuer: String(row['issuer']) }));
}
