import { type SessionDatabase } from '../database/session-database.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import { andWritable, placeholders } from './sql-conditions.js';

/**
 * Records when sessions were used. It leaves out sessions that are idle by now, so a late batch never revives a session;
 * and sessions with a recorded use less than a step earlier, so two replicas write the same use once.
 */
export class ActivityRepository {
  constructor(
    private readonly database: SessionDatabase,
    private readonly limit: IdleLimit,
  ) {}

  /**
   * Records the first use of sessions in one statement. A session that has a recorded use by now keeps it, and one whose
   * user is erased gets none.
   *
   * @param usedAt the database's clock, milliseconds; no session was used earlier
   * @returns of how many sessions it has recorded the first use
   */
  async recordFirst(sessionIds: readonly string[], usedAt: number): Promise<number> {
    const { dialect, tables } = this.database;
    const ids = inOrder(sessionIds);
    const { affected } = await this.database.run(
      dialect.insertOrIgnore(
        `INSERT INTO ${tables.sessionActivity} (session_id, active_at)
         SELECT s.id, ? FROM ${tables.session} s
         WHERE s.id IN (${placeholders(ids)}) AND s.sub <> '' AND ${this.mayMoveOn('s.registered_at')}
           ${andWritable(dialect)}
         ORDER BY s.id`,
      ),
      [usedAt, ...ids, usedAt - this.limit.step],
    );
    return affected;
  }

  /**
   * Records a later use of sessions in one statement. COALESCE rules out the index on `active_at`: the ids find the rows
   * faster.
   *
   * @param usedAt as in {@link recordFirst}
   */
  async recordNext(sessionIds: readonly string[], usedAt: number): Promise<void> {
    const { dialect, tables } = this.database;
    const ids = inOrder(sessionIds);
    await this.database.run(
      `UPDATE ${tables.sessionActivity} SET active_at = ?
       WHERE session_id IN (${placeholders(ids)}) AND ${this.mayMoveOn('COALESCE(active_at, 0)')}
         ${andWritable(dialect)}`,
      [usedAt, ...ids, usedAt - this.limit.step],
    );
  }

  /** Returns the recorded uses of these sessions, by session id: the database's clock, milliseconds. */
  async findUses(sessionIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.database.read(
      `SELECT a.session_id, a.active_at FROM ${this.database.tables.sessionActivity} a
       WHERE a.session_id IN (${placeholders(sessionIds)})`,
      sessionIds,
    );
    return new Map(rows.map((row) => [String(row['session_id']), Number(row['active_at'])]));
  }

  /** @param recorded SQL: the recorded use. The condition has one parameter: the latest that it may be */
  private mayMoveOn(recorded: string): string {
    const { maxIdleMs, margin } = this.limit;
    return `${recorded} > ${this.database.dialect.now} - ${maxIdleMs - margin} AND ${recorded} <= ?`;
  }
}

/** Always in the same order: two statements with the same rows in another order may deadlock. */
const inOrder = (ids: readonly string[]): string[] => [...ids].sort();
