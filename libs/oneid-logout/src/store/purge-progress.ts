import { type SqlRow } from '../database/sql.js';

/**
 * How far a purge has looked. The rows before this position are deleted or still needed. With `startsOver`, the purge
 * looks at the needed rows again after it has reached the end.
 */
export class PurgeCursor {
  /** The end of the last row that the purge looked at: the database's clock, milliseconds. */
  endedAt = 0;
  id = '';
  /** Whether there may be more rows to look at. */
  more = false;

  constructor(private readonly startsOver: boolean) {}

  moveTo(rows: readonly SqlRow[], more: boolean): void {
    this.more = more;
    const last = rows.at(-1);
    if (!more && this.startsOver) [this.endedAt, this.id] = [0, ''];
    else if (last !== undefined) [this.endedAt, this.id] = [Number(last['ended_at']), String(last['id'])];
  }
}

/** How far the purge of this process has come. */
export class PurgeProgress {
  readonly sessions = new PurgeCursor(true);
  readonly logouts = new PurgeCursor(true);
  readonly signIns = new PurgeCursor(true);
  /** Does not start over: tokens that had to stay are erased after their revocation, or with their session. */
  readonly tokens = new PurgeCursor(false);

  /** Whether the last call may have left rows to look at. */
  get more(): boolean {
    return this.sessions.more || this.logouts.more || this.tokens.more || this.signIns.more;
  }
}
