import { type Clock } from '../clock.js';

/** The most rows in the statement of a group: their parameters stay far below the limit of every database. */
export const MAX_GROUP_ROWS = 128;

/** How long a group waits for the statement before it, milliseconds: a hanging statement must not delay all others. */
export const MAX_WAIT = 100;

export interface GroupedInserts<Row, Created> {
  /**
   * Inserts all new rows in one statement. Each id occurs once in `rows`.
   *
   * @returns the rows that were new, by id
   * @throws when no row is inserted
   */
  insertGroup(rows: readonly Row[]): Promise<ReadonlyMap<string, Created>>;
  /** Inserts the rows of one caller, always in one statement. @returns the rows that were new */
  insertOwn(rows: readonly Row[]): Promise<readonly Created[]>;
}

interface Caller<Row, Created> {
  readonly rows: readonly Row[];
  readonly resolve: (created: readonly Created[]) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Inserts the rows of several callers in one statement, so that these callers share one commit. A group holds the
 * callers of one turn of the event loop, or the callers that arrive while the statement of the group before is running.
 */
export class GroupCommit<Row extends { readonly id: string }, Created> {
  private readonly waiting: Caller<Row, Created>[] = [];
  private busy = false;

  constructor(
    private readonly inserts: GroupedInserts<Row, Created>,
    private readonly clock: Clock,
  ) {}

  /** @returns the rows that were new, once they are committed */
  insert(rows: readonly Row[]): Promise<readonly Created[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ rows, resolve, reject });
      if (this.busy) return;
      this.busy = true;
      // SQLite's driver is synchronous: other callers can join only before the statement starts
      void this.clock.endOfTurn().then(() => this.next());
    });
  }

  private next(): void {
    const group = this.take();
    this.busy = group.length > 0;
    if (!this.busy) return;
    let gone = false;
    const goOn = () => {
      if (gone) return;
      gone = true;
      patience.cancel();
      this.next();
    };
    const patience = this.clock.after(MAX_WAIT, goOn);
    void this.commit(group).then(goOn);
  }

  /** Takes the oldest callers out of the queue: at most MAX_GROUP_ROWS rows, but at least one caller. */
  private take(): Caller<Row, Created>[] {
    let rows = 0;
    const end = this.waiting.findIndex((caller) => (rows += caller.rows.length) > MAX_GROUP_ROWS);
    return this.waiting.splice(0, end === -1 ? this.waiting.length : Math.max(end, 1));
  }

  private async commit(group: readonly Caller<Row, Created>[]): Promise<void> {
    if (group.length === 1) return this.commitOneByOne(group);
    const distinct = new Map<string, Row>();
    for (const { rows } of group) for (const row of rows) if (!distinct.has(row.id)) distinct.set(row.id, row);
    // every process uses the same order: otherwise two processes with the same rows may deadlock
    const ordered = [...distinct.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const created = await this.inserts.insertGroup(ordered).then(
      (byId) => new Map(byId),
      () => undefined,
    );
    // one refused or locked row makes the whole group fail, so insert the rows of each caller separately
    if (created === undefined) return this.commitOneByOne(group);
    // a row that two callers bring counts as new for the first caller
    for (const { rows, resolve } of group) {
      const own: Created[] = [];
      for (const { id } of rows) {
        const row = created.get(id);
        if (row !== undefined) own.push(row);
        created.delete(id);
      }
      resolve(own);
    }
  }

  private async commitOneByOne(group: readonly Caller<Row, Created>[]): Promise<void> {
    await Promise.all(group.map(({ rows, resolve, reject }) => this.inserts.insertOwn(rows).then(resolve, reject)));
  }
}
