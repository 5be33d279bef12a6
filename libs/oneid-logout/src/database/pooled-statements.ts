import { type Clock } from '../clock.js';
import { type AnswerProof } from './answer-proof.js';
import { type BorrowedConnection, type ConnectionPool } from './connection-pool.js';
import { NoConnectionError, type SqlResult, type SqlStatement, type Statements, UnprovedAnswerError } from './sql.js';
import { type TimeLimit } from './time-limit.js';

/**
 * Shortest time between two answers of standbys that drop the older connections, milliseconds. As long as the database is
 * read-only, new connections would not help.
 */
const DROP_PAUSE = 1_000;

/** Runs statements on a pool of connections, and drops connections that lead to a dead server or to a standby. */
export class PooledStatements implements Statements {
  /** The epoch in which each connection was borrowed first. */
  private readonly epochs = new WeakMap<object, number>();
  /** Connections of earlier epochs are dropped before their next use. */
  private epoch = 0;
  private nextDropAt = -Infinity;

  constructor(
    private readonly pool: ConnectionPool,
    private readonly proof: AnswerProof | undefined,
    private readonly clock: Clock,
  ) {}

  get connections(): number {
    return this.pool.size;
  }

  async run(statement: SqlStatement, limit: TimeLimit): Promise<SqlResult> {
    const first = await this.attempt(statement, limit);
    if (!('failed' in first)) return first;
    // the connection had died while it was idle, or led to a server that has become a standby meanwhile
    const second = await this.attempt(statement, limit);
    if ('failed' in second) throw second.failed;
    return second;
  }

  /**
   * @returns the result; or `failed`, the error on an older connection, which a new one may not have. The statement has
   *   changed nothing then: it reads, or the server has refused it as a write
   */
  private async attempt(statement: SqlStatement, limit: TimeLimit): Promise<SqlResult | { readonly failed: unknown }> {
    const { connection, epoch, isNew } = await this.borrow();
    try {
      const result = await limit.cutting(
        () => connection.query(statement),
        () => connection.destroy(),
      );
      if (statement.proved) this.requireProof(result);
      return result;
    } catch (error) {
      if (limit.isOver) throw error;
      const isReadOnly = connection.isReadOnly(error);
      const dropped =
        isReadOnly || error instanceof UnprovedAnswerError
          ? this.dropStandby(connection, epoch)
          : this.dropLost(connection, epoch, error);
      if (!dropped || isNew || !(isReadOnly || statement.proved)) throw error;
      return { failed: error };
    } finally {
      await connection.release();
    }
  }

  private async borrow(): Promise<{ connection: BorrowedConnection; epoch: number; isNew: boolean }> {
    for (;;) {
      const connection = await this.pool.borrow().catch((error: unknown) => {
        throw new NoConnectionError(error);
      });
      const epoch = this.epochs.get(connection.identity);
      if (epoch === undefined) {
        this.epochs.set(connection.identity, this.epoch);
        return { connection, epoch: this.epoch, isNew: true };
      }
      if (epoch === this.epoch) return { connection, epoch, isNew: false };
      connection.destroy();
      await connection.release();
    }
  }

  private requireProof({ rows }: SqlResult): void {
    const fault = this.proof?.faultOf(String(rows[0]?.['proof']));
    if (fault !== undefined) throw new UnprovedAnswerError(fault);
  }

  /** @returns false if the connection is not lost */
  private dropLost(connection: BorrowedConnection, epoch: number, error: unknown): boolean {
    if (!connection.isLost(error)) return false;
    this.dropSince(epoch);
    return true;
  }

  /** @returns false while a new connection would not help: the last ones were dropped a moment ago */
  private dropStandby(connection: BorrowedConnection, epoch: number): boolean {
    const now = this.clock.monotonicNow();
    const isNewest = epoch === this.epoch;
    if (isNewest && now < this.nextDropAt) return false;
    if (isNewest) this.nextDropAt = now + DROP_PAUSE;
    connection.destroy();
    this.dropSince(epoch);
    return true;
  }

  /** The server behind a connection of this epoch is gone or no primary, so its other connections are useless too. */
  private dropSince(epoch: number): void {
    this.epoch = Math.max(this.epoch, epoch + 1);
  }
}
