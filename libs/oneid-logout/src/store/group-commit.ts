/** Most rows of one statement: their parameters stay far below what any database takes. */
export const MAX_GROUP_ROWS = 128;

/** How long a statement holds up the group behind it, milliseconds: one that hangs must not make all others late. */
export const PATIENCE = 100;

export interface GroupedInserts<Row> {
  /**
   * Inserts all that are new in one statement. Each id comes once.
   *
   * @returns the ids of those that were new
   * @throws when none of them is inserted
   */
  insertGroup(rows: readonly Row[]): Promise<ReadonlySet<string>>;
  /** Inserts one caller's rows, in any case in one statement. @returns how many of them were new */
  insertOwn(rows: readonly Row[]): Promise<number>;
}

interface Caller<Row> {
  readonly rows: readonly Row[];
  readonly resolve: (count: number) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Inserts what several callers bring at the same time in one statement, so that they wait for one commit together: those
 * that arrive in the same turn of the event loop, and those that arrive while the group before them is on its way.
 */
export class GroupCommit<Row extends { readonly id: string }> {
  private readonly waiting: Caller<Row>[] = [];
  private busy = false;

  constructor(private readonly inserts: GroupedInserts<Row>) {}

  /** @returns how many of these rows were new, once they are committed */
  insert(rows: readonly Row[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ rows, resolve, reject });
      if (this.busy) return;
      this.busy = true;
      // SQLite answers before it returns: nothing could ever arrive while it does
      setImmediate(() => this.next());
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
      clearTimeout(patience);
      this.next();
    };
    const patience = setTimeout(goOn, PATIENCE);
    void this.commit(group).then(goOn);
  }

  /** The callers that have waited longest, one at least. */
  private take(): Caller<Row>[] {
    let rows = 0;
    const end = this.waiting.findIndex((caller) => (rows += caller.rows.length) > MAX_GROUP_ROWS);
    return this.waiting.splice(0, end === -1 ? this.waiting.length : Math.max(end, 1));
  }

  private async commit(group: readonly Caller<Row>[]): Promise<void> {
    if (group.length === 1) return this.commitOneByOne(group);
    const distinct = new Map<string, Row>();
    for (const { rows } of group) for (const row of rows) if (!distinct.has(row.id)) distinct.set(row.id, row);
    // in one order everywhere, or two processes with the same rows wait for each other
    const ordered = [...distinct.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const created = await this.inserts.insertGroup(ordered).then(
      (ids) => new Set(ids),
      () => undefined,
    );
    // it may be one of them that the database does not take, or that somebody else holds up
    if (created === undefined) return this.commitOneByOne(group);
    // what two have brought was new for the first
    for (const { rows, resolve } of group) resolve(rows.filter(({ id }) => created.delete(id)).length);
  }

  private async commitOneByOne(group: readonly Caller<Row>[]): Promise<void> {
    await Promise.all(group.map(({ rows, resolve, reject }) => this.inserts.insertOwn(rows).then(resolve, reject)));
  }
}
