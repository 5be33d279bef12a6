import { type SessionDatabase } from '../database/session-database.js';
import { andWritable, placeholders } from './sql-conditions.js';

/** Until when logouts could be recorded, of some clients, as {@link RecordingTimeRepository.find} returns it. */
export interface RecordingTimes {
  /** The database's clock, milliseconds. */
  readonly now: number;
  /** By the client's target: the database's clock, milliseconds. A client that no replica has written has no entry. */
  readonly until: ReadonlyMap<string, number>;
}

/**
 * Until when the logouts of each client could be recorded, by the database's clock. The statements have the priority of
 * logouts: a busy database is no outage.
 */
export class RecordingTimeRepository {
  constructor(private readonly database: SessionDatabase) {}

  /**
   * Writes that logouts can be recorded now, for those of these clients whose time is at most this old.
   *
   * @param targets of the clients
   * @param maxAgeMs milliseconds
   * @returns how many clients have the new time; none on a read-only server
   */
  async extend(targets: readonly string[], maxAgeMs: number): Promise<number> {
    const { affected } = await this.database.run(
      `UPDATE ${this.table} SET ${this.setNow}
       WHERE target IN (${placeholders(targets)}) AND recordable_until >= ${this.now} - ? ${this.andWritable}`,
      [...targets, maxAgeMs],
      { lane: 'logout' },
    );
    return affected;
  }

  /** Reads the times of these clients. */
  async find(targets: readonly string[]): Promise<RecordingTimes> {
    const { rows } = await this.database.read(
      `SELECT n.now_at, r.target, r.recordable_until FROM (SELECT ${this.now} AS now_at) n
       LEFT JOIN ${this.table} r ON r.target IN (${placeholders(targets)})`,
      targets,
      { lane: 'logout' },
    );
    const found = rows.filter((row) => typeof row['target'] === 'string');
    return {
      now: Number(rows[0]?.['now_at']),
      until: new Map(found.map((row) => [String(row['target']), Number(row['recordable_until'])])),
    };
  }

  /** Begins to write the time of a client. Does nothing if another replica has begun. */
  async begin(target: string): Promise<void> {
    await this.database.run(
      this.database.dialect.insertOrIgnore(
        `INSERT INTO ${this.table} (target, recordable_until) VALUES (?, ${this.now})`,
      ),
      [target],
      { lane: 'logout' },
    );
  }

  /**
   * Ends an outage of a client: logouts can be recorded again. Does nothing if another replica has ended it.
   *
   * @param until the time that {@link find} has returned for the client
   */
  async resume(target: string, until: number): Promise<void> {
    await this.database.run(
      `UPDATE ${this.table} SET ${this.setNow} WHERE target = ? AND recordable_until = ? ${this.andWritable}`,
      [target, until],
      { lane: 'logout' },
    );
  }

  /** Another value each time: MySQL does not count a row that keeps its value. */
  private get setNow(): string {
    return `recordable_until = CASE WHEN recordable_until = ${this.now} THEN ${this.now} + 1 ELSE ${this.now} END`;
  }

  private get table(): string {
    return this.database.tables.recordingTime;
  }

  private get andWritable(): string {
    return andWritable(this.database.dialect);
  }

  private get now(): string {
    return this.database.dialect.now;
  }
}
