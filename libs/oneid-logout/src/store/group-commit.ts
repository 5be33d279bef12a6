import { type Turn } from '../database/statement-queue.js';
import { Gatherer, type TurnSource } from './gatherer.js';

/** The most rows in the statement of a group: their parameters stay far below the limit of every database. */
export const MAX_GROUP_ROWS = 128;

export interface GroupedInserts<Row, Created> {
  /**
   * Inserts all new rows in one statement. Each id occurs once in `rows`.
   *
   * @returns the rows that were new, by id
   * @throws when no row is inserted
   */
  insertGroup(rows: readonly Row[], turn: Turn): Promise<ReadonlyMap<string, Created>>;
  /** Inserts the rows of one caller, always in one statement. @returns the rows that were new */
  insertOwn(rows: readonly Row[], turn?: Turn): Promise<readonly Created[]>;
  /** Does this error of `insertGroup` say that the database has refused one of the rows? */
  isRowRefused(error: unknown): boolean;
}

/** Inserts the rows of several callers in one statement, so that these callers share one commit. */
export class GroupCommit<Row extends { readonly id: string }, Created> {
  private readonly gatherer: Gatherer<readonly Row[], readonly Created[]>;

  constructor(
    database: TurnSource,
    private readonly inserts: GroupedInserts<Row, Created>,
  ) {
    const settings = {
      lane: 'logout',
      maxSize: MAX_GROUP_ROWS,
      sizeOf: (rows: readonly Row[]) => rows.length,
    } as const;
    this.gatherer = new Gatherer(database, settings, (callers, turn) => this.commit(callers, turn));
  }

  /** @returns the rows that were new, once they are committed */
  insert(rows: readonly Row[]): Promise<readonly Created[]> {
    return this.gatherer.add(rows);
  }

  private async commit(
    callers: readonly (readonly Row[])[],
    turn: Turn,
  ): Promise<readonly (readonly Created[] | Promise<readonly Created[]>)[]> {
    const [first = [], ...others] = callers;
    if (others.length === 0) return [await this.inserts.insertOwn(first, turn)];
    const distinct = new Map<string, Row>();
    for (const row of callers.flat()) if (!distinct.has(row.id)) distinct.set(row.id, row);
    // always in the same order: two statements with the same rows in another order may deadlock
    const ordered = [...distinct.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    try {
      return shared(callers, new Map(await this.inserts.insertGroup(ordered, turn)));
    } catch (error) {
      // after a time limit or a lost connection, more statements would be more load for a database in trouble
      if (!this.inserts.isRowRefused(error)) throw error;
      // one refused or locked row makes the whole group fail, so insert the rows of each caller separately
      return callers.map((rows) => this.inserts.insertOwn(rows));
    }
  }
}

/** A row that two callers bring counts as new for the first caller. */
function shared<Created>(
  callers: readonly (readonly { readonly id: string }[])[],
  created: Map<string, Created>,
): Created[][] {
  return callers.map((rows) => {
    const own: Created[] = [];
    for (const { id } of rows) {
      const row = created.get(id);
      if (row !== undefined) own.push(row);
      created.delete(id);
    }
    return own;
  });
}
