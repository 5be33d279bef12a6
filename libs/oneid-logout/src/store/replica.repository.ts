import { type SessionDatabase } from '../database/session-database.js';

/** How long a replica counts after its last declaration, milliseconds. A running replica declares itself more often. */
const REPLICA_RETENTION = 60 * 60 * 1000;

/** The replicas of this database that may answer from memory, and how old that memory may be. */
export class ReplicaRepository {
  constructor(private readonly database: SessionDatabase) {}

  /**
   * Declares this replica, or renews its declaration.
   *
   * @param declaredStalenessMs how stale the replica's answers may be, during an outage too, milliseconds
   */
  async declare(id: string, declaredStalenessMs: number): Promise<void> {
    const { dialect, tables } = this.database;
    const { affected } = await this.database.run(
      `UPDATE ${tables.replica} SET seen_at = ${dialect.now}, max_staleness = ? WHERE id = ?`,
      [declaredStalenessMs, id],
      { lane: 'look' },
    );
    if (affected === 1) return;
    await this.database.run(
      dialect.insertOrIgnore(
        `INSERT INTO ${tables.replica} (id, max_staleness, seen_at) VALUES (?, ?, ${dialect.now})`,
      ),
      [id, declaredStalenessMs],
      { lane: 'look' },
    );
  }

  /** Withdraws this replica, so OneID's 200 no longer waits for it. Also deletes old rows of crashed replicas. */
  async withdraw(id: string): Promise<void> {
    const { dialect, tables } = this.database;
    await this.database.run(
      `DELETE FROM ${tables.replica} WHERE id = ? OR seen_at < ${dialect.now} - ${REPLICA_RETENTION}`,
      [id],
      { lane: 'look' },
    );
  }

  /** The largest staleness that any replica has declared, milliseconds; 0 if all replicas ask the database. */
  async findMaxStaleness(): Promise<number> {
    const { dialect, tables } = this.database;
    const { rows } = await this.database.read(
      `SELECT MAX(max_staleness) AS max_staleness FROM ${tables.replica}
       WHERE seen_at >= ${dialect.now} - ${REPLICA_RETENTION}`,
      [],
      { prepared: true, lane: 'logout' },
    );
    return Number(rows[0]?.['max_staleness'] ?? 0);
  }
}
