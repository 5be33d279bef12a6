import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { turnSource } from '../../../../test/support/turn-source.js';
import { GroupCommit, type GroupedInserts, MAX_GROUP_ROWS } from './group-commit.js';

interface Row {
  readonly id: string;
}

const row = (id: number | string): Row => ({ id: String(id) });
const idsOf = (rows: readonly Row[]) => rows.map(({ id }) => id).join(' ');

const poison = new Error('poison');

describe('GroupCommit', () => {
  /** Each statement, in the order in which they were sent. */
  let statements: string[];
  let stored: Set<string>;
  /** Runs before each statement completes. */
  let before: (ids: string) => Promise<void>;
  let clock: TestClock;
  let commit: GroupCommit<Row, string>;

  async function execute(kind: string, rows: readonly Row[]): Promise<Set<string>> {
    const ids = idsOf(rows);
    statements.push(`${kind} ${ids}`);
    await before(ids);
    const created = new Set(rows.filter(({ id }) => !stored.has(id)).map(({ id }) => id));
    for (const id of created) stored.add(id);
    return created;
  }

  /** @returns how many of the rows were new */
  const insert = async (rows: readonly Row[]) => (await commit.insert(rows)).length;

  beforeEach(() => {
    statements = [];
    stored = new Set();
    before = () => Promise.resolve();
    clock = new TestClock(0);
    const inserts: GroupedInserts<Row, string> = {
      insertGroup: async (rows) => new Map([...(await execute('group', rows))].map((id) => [id, id])),
      insertOwn: async (rows) => [...(await execute('own', rows))],
      isRowRefused: (error) => error === poison,
    };
    commit = new GroupCommit(turnSource(1, clock), inserts);
  });

  /** Holds the sent statements until the test releases them one by one. */
  function hold(): (() => void)[] {
    const held: (() => void)[] = [];
    before = () => new Promise((resolve) => held.push(resolve));
    return held;
  }

  it('sends a single insert at once', async () => {
    const inserted = insert([row(1)]);
    await turn();
    expect(statements).toEqual(['own 1']);
    expect(await inserted).toBe(1);
    await turn();
    expect(clock.timers).toBe(0);
  });

  it('groups inserts that arrive together, in one order, and tells each caller how many of its rows were new', async () => {
    stored.add('2');
    const inserted = await Promise.all([[3], [2, 1], [5, 4], [2]].map((ids) => insert(ids.map(row))));
    expect(inserted).toEqual([1, 1, 2, 0]);
    expect(statements).toEqual(['group 1 2 3 4 5']);
  });

  it('groups inserts that arrive while another group is running', async () => {
    const held = hold();
    const first = insert([row(1)]);
    await turn();
    const later = [2, 3, 4].map((id) => insert([row(id)]));
    await turn();
    expect(statements).toEqual(['own 1']);
    held.shift()?.();
    expect(await first).toBe(1);
    await turn();
    expect(statements).toEqual(['own 1', 'group 2 3 4']);
    let answered = false;
    void later[0]?.then(() => (answered = true));
    await turn();
    expect(answered).toBe(false);
    held.shift()?.();
    expect(await Promise.all(later)).toEqual([1, 1, 1]);
  });

  it('BC-8: the same logout of two callers is new for the first, and known for the second', async () => {
    const inserted = await Promise.all([[1], [1], [1, 2], [2]].map((ids) => insert(ids.map(row))));
    expect(inserted).toEqual([1, 0, 1, 0]);
    expect(statements).toEqual(['group 1 2']);
  });

  it('sends the rows of each caller alone when the database has refused a row, so that only that caller fails', async () => {
    before = (ids) => (ids.split(' ').includes('2') ? Promise.reject(poison) : Promise.resolve());
    const inserted = await Promise.allSettled([[1, 3], [2], [4], [1]].map((ids) => insert(ids.map(row))));
    expect(statements).toEqual(['group 1 2 3 4', 'own 1 3', 'own 2', 'own 4', 'own 1']);
    expect(inserted).toEqual([
      { status: 'fulfilled', value: 2 },
      { status: 'rejected', reason: poison },
      { status: 'fulfilled', value: 1 },
      { status: 'fulfilled', value: 0 },
    ]);
    expect(await insert([row(5)])).toBe(1);
  });

  it('fails for all callers when the store is down, and works again later', async () => {
    before = () => Promise.reject(new Error('down'));
    const inserted = await Promise.allSettled([1, 2, 3].map((id) => insert([row(id)])));
    expect(inserted.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(statements).toEqual(['group 1 2 3']);
    before = () => Promise.resolve();
    expect(await Promise.all([1, 2].map((id) => insert([row(id)])))).toEqual([1, 1]);
  });

  it('sends no more rows at a time than every database accepts, in the order of the callers', async () => {
    const callers = Array.from({ length: 3 * MAX_GROUP_ROWS }, (_, n) => [row(n)]);
    const many = Array.from({ length: MAX_GROUP_ROWS + 1 }, (_, n) => row(`many ${n}`));
    callers.splice(1, 0, many);
    const inserted = await Promise.all(callers.map((rows) => insert(rows)));
    expect(inserted).toEqual(callers.map((rows) => rows.length));
    const sizes = statements.map((statement) => statement.split(/ (?=\d|many)/).length - 1);
    expect(statements[1]).toMatch(/^own many 0 /);
    expect([...sizes.slice(0, 1), ...sizes.slice(2)].every((size) => size <= MAX_GROUP_ROWS)).toBe(true);
  });
});
