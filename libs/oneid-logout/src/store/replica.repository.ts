import { type SessionDatabase } from '../database/session-database.js';

/** For how long a replica counts that does not say any more that it is there, milliseconds. */
const REPLICA_RETENTION = 60 * 60 * 1000;

/** The replicas of this database that may answer from memory, and how old what they remember may be. */
export class ReplicaRepository {
  constructor(private readonly database: SessionDatabase) {}

  /** Says, or says again, that this replica is there. */
  async declare(id: string, maxStaleness: number): Promise<void> {
    const { dialect, tables } = this.database;
    const { affected } = await this.database.run(
      `UPDATE ${tables.replica} SET seen_at = ${dialect.now}, max_staleness = ? WHERE id = ?`,
      [maxStaleness, id],
    );
    if (affected === 1) return;
    await this.database.run(
      dialect.insertOrIgnore(
        `INSERT INTO ${tables.replica} (id, max_staleness, seen_at) VALUES (?, ?, ${dialect.now})`,
      ),
      [id, maxStaleness],
    );
  }

  /** Takes it back; and what other replicas have left behind that ended without. */
  async withdraw(id: string): Promise<void> {
    const { dialect, tables } = this.database;
    await this.database.run(
      `DELETE FROM ${tables.replica} WHERE id = ? OR seen_at < ${dialect.now} - ${REPLICA_RETENTION}`,
      [id],
    );
  }

  /** The most that any replica may be behind, milliseconds; 0 when all of them ask the database. */
  async findMaxStaleness(): Promise<number> {
    const { dialect, tables } = this.database;
    const { rows } = await this.database.run(
      `SELECT MAX(max_staleness) AS max_staleness FROM ${tables.replica}
       WHERE seen_at >= ${dialect.now} - ${REPLICA_RETENTION}`,
      [],
      { prepared: true },
    );
    return Number(rows[0]?.['max_staleness'] ?? 0);
  }
}
