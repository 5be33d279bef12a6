import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { type AnswerProof } from './answer-proof.js';
import { type BorrowedConnection, type ConnectionPool } from './connection-pool.js';
import { PooledStatements } from './pooled-statements.js';
import { NoConnectionError, type SqlStatement, UnprovedAnswerError } from './sql.js';
import { TimeLimit } from './time-limit.js';

/** A connection of {@link TestPool}. Its number says in which order the pool has opened it. */
interface TestConnection {
  readonly number: number;
  state: 'alive' | 'dead' | 'standby' | 'hanging';
  destroyed: boolean;
}

class TestPool implements ConnectionPool {
  readonly size = 10;
  readonly opened: TestConnection[] = [];
  readonly sent: string[] = [];
  readonly idle: TestConnection[] = [];
  /** The state of the connections that the pool opens from now on. */
  next: TestConnection['state'] | 'refused' = 'alive';

  borrow(): Promise<BorrowedConnection> {
    let connection = this.idle.shift();
    if (connection === undefined) {
      if (this.next === 'refused') return Promise.reject(new Error('connect ECONNREFUSED'));
      connection = { number: this.opened.length + 1, state: this.next, destroyed: false };
      this.opened.push(connection);
    }
    return Promise.resolve(this.borrowed(connection));
  }

  private borrowed(connection: TestConnection): BorrowedConnection {
    return {
      identity: connection,
      query: async ({ sql }) => {
        this.sent.push(`${sql} on ${connection.number}`);
        if (connection.state === 'hanging') return new Promise(() => undefined);
        if (connection.state === 'dead') throw new Error('terminated');
        if (sql === 'refused') throw new Error('permission denied');
        if (sql === 'write' && connection.state === 'standby') throw new Error('read-only transaction');
        return Promise.resolve({ rows: [{ proof: connection.state }], affected: 0 });
      },
      isLost: (error) => connection.destroyed || String(error).includes('terminated'),
      isReadOnly: (error) => String(error).includes('read-only'),
      destroy: () => {
        connection.destroyed = true;
      },
      release: () => {
        if (!connection.destroyed && connection.state !== 'dead') this.idle.push(connection);
        return Promise.resolve();
      },
    };
  }
}

const proof: AnswerProof = { sql: '', faultOf: (value) => (value === 'alive' ? undefined : `it is a ${value}`) };
const read: SqlStatement = { sql: 'read', parameters: [], prepared: false, proved: true };
const write: SqlStatement = { ...read, sql: 'write', proved: false };

describe('PooledStatements', () => {
  let clock: TestClock;
  let pool: TestPool;
  let statements: PooledStatements;
  beforeEach(() => {
    clock = new TestClock(0);
    pool = new TestPool();
    statements = new PooledStatements(pool, proof, clock);
  });

  const run = (statement: SqlStatement) => TimeLimit.enforce(5_000, clock, (limit) => statements.run(statement, limit));
  /** Opens connections, which are idle afterwards. */
  const openIdle = async (count: number) => {
    await Promise.all(Array.from({ length: count }, () => run(read)));
    pool.sent.length = 0;
  };

  it('S13: a read whose idle connection is gone is sent once more, on a new connection', async () => {
    await openIdle(3);
    for (const connection of pool.opened) connection.state = 'dead';
    await Promise.all([run(read), run(read), run(read)]);
    expect(pool.sent).toEqual(['read on 1', 'read on 2', 'read on 3', 'read on 4', 'read on 5', 'read on 6']);
    expect(pool.idle.map(({ number }) => number)).toEqual([4, 5, 6]);
  });

  it('S13: drops the other idle connections to the same server unused', async () => {
    await openIdle(3);
    for (const connection of pool.opened) connection.state = 'dead';
    await run(read);
    expect(pool.sent).toEqual(['read on 1', 'read on 4']);
    expect(pool.opened.map(({ destroyed }) => destroyed)).toEqual([false, true, true, false]);
  });

  it('S13: a read is not sent a third time', async () => {
    await openIdle(1);
    for (const connection of pool.opened) connection.state = 'dead';
    pool.next = 'dead';
    await expect(run(read)).rejects.toThrow('terminated');
    expect(pool.sent).toEqual(['read on 1', 'read on 2']);
  });

  it('S13: a write is not sent again: it may have changed something', async () => {
    await openIdle(1);
    for (const connection of pool.opened) connection.state = 'dead';
    await expect(run(write)).rejects.toThrow('terminated');
    expect(pool.sent).toEqual(['write on 1']);
  });

  it('S3: a statement is not sent again after its time limit', async () => {
    await openIdle(1);
    for (const connection of pool.opened) connection.state = 'hanging';
    const held = run(read);
    await clock.endOfTurn();
    clock.advance(5_000);
    await expect(held).rejects.toThrow('The statement took longer than 5000 ms');
    await clock.endOfTurn();
    expect([pool.sent, pool.opened.map(({ destroyed }) => destroyed)]).toEqual([['read on 1'], [true]]);
  });

  it('S1: an answer of a standby does not count: the read is sent once more, on a new connection', async () => {
    await openIdle(3);
    for (const connection of pool.opened) connection.state = 'standby';
    expect(await Promise.all([run(read), run(read)])).toEqual(
      [4, 5].map(() => ({ rows: [{ proof: 'alive' }], affected: 0 })),
    );
    expect(pool.sent).toEqual(['read on 1', 'read on 2', 'read on 4', 'read on 5']);
    expect(pool.opened.map(({ destroyed }) => destroyed)).toEqual([true, true, true, false, false]);
  });

  it('S1: an answer of a standby on a new connection is not asked for again', async () => {
    await openIdle(1);
    for (const connection of pool.opened) connection.state = 'standby';
    pool.next = 'standby';
    await expect(run(read)).rejects.toThrow(new UnprovedAnswerError('it is a standby'));
    expect(pool.sent).toEqual(['read on 1', 'read on 2']);
  });

  it('S1: while new connections lead to a standby too, it drops connections once a second', async () => {
    pool.next = 'standby';
    for (let n = 0; n < 10; n++) await expect(run(read)).rejects.toThrow(UnprovedAnswerError);
    expect(pool.opened).toHaveLength(2);
    clock.advance(999);
    pool.next = 'alive';
    await expect(run(read)).rejects.toThrow(UnprovedAnswerError);
    clock.advance(1);
    await run(read);
    expect(pool.sent.slice(-2)).toEqual(['read on 2', 'read on 3']);
  });

  it('S1: a write that a standby refuses is sent once more, on a new connection, because it has changed nothing', async () => {
    await openIdle(3);
    for (const connection of pool.opened) connection.state = 'standby';
    await expect(run(write)).resolves.toEqual({ rows: [{ proof: 'alive' }], affected: 0 });
    expect(pool.sent).toEqual(['write on 1', 'write on 4']);
    expect(pool.opened.map(({ destroyed }) => destroyed)).toEqual([true, true, true, false]);
  });

  it('S1: a write that a standby refuses on a new connection is not sent again', async () => {
    await openIdle(1);
    for (const connection of pool.opened) connection.state = 'standby';
    pool.next = 'standby';
    await expect(run(write)).rejects.toThrow('read-only transaction');
    expect(pool.sent).toEqual(['write on 1', 'write on 2']);
  });

  it('S2: a refused write alone fails, and its connection stays', async () => {
    await openIdle(1);
    await expect(run({ ...write, sql: 'refused' })).rejects.toThrow('permission denied');
    await run(read);
    expect([pool.opened.length, pool.sent]).toEqual([1, ['refused on 1', 'read on 1']]);
  });

  it('tells apart that it could not connect', async () => {
    pool.next = 'refused';
    await expect(run(read)).rejects.toThrow(NoConnectionError);
    await expect(run(read)).rejects.toThrow('connect ECONNREFUSED');
  });
});
