import { type Clock } from '../clock.js';
import { type AnswerProof } from './answer-proof.js';
import { type BorrowedConnection, type ConnectionPool } from './connection-pool.js';
import { NoConnectionError, type SqlResult, type SqlStatement, type Statements, UnprovedAnswerError } from './sql.js';
import { type TimeLimit } from './time-limit.js';

/**
 * Shortest time between two unproved answers that drop the older connections, milliseconds. As long as the database is
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
    if (!('lost' in first)) return first;
    // the connection had died while it was idle; a read may be sent again, because it has changed nothing
    const second = await this.attempt(statement, limit);
    if ('lost' in second) throw second.lost;
    return second;
  }

  /** @returns the result; or `lost`, the error of a read whose idle connection was gone */
  private async attempt(statement: SqlStatement, limit: TimeLimit): Promise<SqlResult | { readonly lost: unknown }> {
    const { connection, epoch, isNew } = await this.borrow();
    try {
      const result = await limit.cutting(
        () => connection.query(statement),
        () => connection.destroy(),
      );
      if (statement.proved) this.requireProof(result, connection, epoch);
      return result;
    } catch (error) {
      if (error instanceof UnprovedAnswerError || limit.isOver || !connection.isLost(error)) throw error;
      this.dropSince(epoch);
      if (isNew || !statement.proved) throw error;
      return { lost: error };
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

  private requireProof({ rows }: SqlResult, connection: BorrowedConnection, epoch: number): void {
    const fault = this.proof?.faultOf(String(rows[0]?.['proof']));
    if (fault === undefined) return;
    const now = this.clock.monotonicNow();
    if (now >= this.nextDropAt) {
      this.nextDropAt = now + DROP_PAUSE;
      connection.destroy();
      this.dropSince(epoch);
    }
    throw new UnprovedAnswerError(fault);
  }

  /** The server behind a connection of this epoch is gone or no primary, so its other connections are useless too. */
  private dropSince(epoch: number): void {
    this.epoch = Math.max(this.epoch, epoch + 1);
  }
}
