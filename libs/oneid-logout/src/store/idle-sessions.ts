import { type SessionDatabase } from '../database/session-database.js';
import { type SqlRow } from '../database/sql.js';
import { type Session } from '../rule/session.js';
import { isTrue, notEnded, placeholders } from './sql-conditions.js';

/** A position in the order of the last uses or of the sign-ins: its time is the database's clock, milliseconds. */
export interface IdlePosition {
  readonly at: number;
  readonly id: string;
}

/** A session that may be idle. */
export interface IdleCandidate extends Pick<Session, 'id' | 'issuer' | 'clientId'> {
  /** Whether it is alive but for its idleness. */
  readonly isAlive: boolean;
}

/** The sessions that may be idle, as far as one call has looked. They may be of any app that shares the database. */
export interface IdlePage {
  readonly sessions: readonly IdleCandidate[];
  /** Ids of sessions that are gone, and whose use is still recorded. */
  readonly gone: readonly string[];
  /** The end of the page; undefined when the page is not full. */
  readonly last: IdlePosition | undefined;
}

/**
 * Finds the sessions that have been unused since a time. An index on the recorded uses finds the sessions with a use. Those
 * without one are found in the order of their sign-ins. In both orders, the caller remembers how far it has looked.
 */
export class IdleSessions {
  constructor(private readonly database: SessionDatabase) {}

  /**
   * Returns the sessions whose recorded use is this old, the oldest use first.
   *
   * @param until the latest use: the database's clock, milliseconds
   * @param now the database's clock, milliseconds
   * @param after where the page before has ended
   */
  async findLongUnused(until: number, now: number, after: IdlePosition, limit: number): Promise<IdlePage> {
    const { session, sessionActivity } = this.database.tables;
    const { rows } = await this.database.read(
      `SELECT a.session_id AS id, a.active_at AS at_time, s.issuer, s.client_id,
         CASE WHEN ${this.isAlive} THEN 1 ELSE 0 END AS alive
       FROM (SELECT a.session_id, a.active_at FROM ${sessionActivity} a
         WHERE a.active_at <= ? AND a.active_at >= ? AND (a.active_at > ? OR a.session_id > ?)
         ORDER BY a.active_at, a.session_id LIMIT ${limit}) a
       LEFT JOIN ${session} s ON s.id = a.session_id
       ORDER BY a.active_at, a.session_id`,
      [now, until, after.at, after.at, after.id],
      { order: 'at_time, id' },
    );
    return pageOf(rows, limit);
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
   * Returns the sessions that were registered until this time, the earliest first. Those with a recorded use do not count
   * as alive: {@link findLongUnused} finds them.
   *
   * @param until the database's clock, milliseconds
   * @param now the database's clock, milliseconds
   * @param after where the page before has ended
   */
  async findNeverUsed(until: number, now: number, after: IdlePosition, limit: number): Promise<IdlePage> {
    const { session, sessionActivity } = this.database.tables;
    // no EXISTS: for it, PostgreSQL may read the whole table
    const use = `(SELECT a.active_at FROM ${sessionActivity} a WHERE a.session_id = s.id)`;
    const { rows } = await this.database.read(
      `SELECT s.id, s.registered_at AS at_time, s.issuer, s.client_id,
         CASE WHEN ${use} IS NULL AND ${this.isAlive} THEN 1 ELSE 0 END AS alive
       FROM (SELECT s.* FROM ${session} s
         WHERE s.registered_at <= ? AND s.registered_at >= ? AND (s.registered_at > ? OR s.id > ?)
         ORDER BY s.registered_at, s.id LIMIT ${limit}) s
       ORDER BY s.registered_at, s.id`,
      [now, until, after.at, after.at, after.id],
      { order: 'at_time, id' },
    );
    return pageOf(rows, limit);
  }

  /** Condition: session `s` exists, and is neither expired nor ended. Its parameter is the time now. */
  private get isAlive(): string {
    return `s.expires_at > ? AND ${notEnded(this.database.tables)}`;
  }
}

function pageOf(rows: readonly SqlRow[], limit: number): IdlePage {
  const found = rows.filter((row) => row['issuer'] !== null);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    sessions: found.map((row) => ({
      id: String(row['id']),
      issuer: String(row['issuer']),
      clientId: String(row['client_id']),
      isAlive: isTrue(row['alive']),
    })),
    gone: rows.filter((row) => row['issuer'] === null).map((row) => String(row['id'])),
    last: last && { at: Number(last['at_time']), id: String(last['id']) },
  };
}
