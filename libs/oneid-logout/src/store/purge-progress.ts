import { type SqlRow } from '../database/sql.js';

/** Up to where a purge has looked: what it has left behind is still needed, and looked at another time. */
export class PurgeCursor {
  /** Milliseconds, the database's clock. */
  endedAt = 0;
  id = '';
  /** Was there more to look at? */
  more = false;

  constructor(private readonly startsOver: boolean) {}

  moveTo(rows: readonly SqlRow[], more: boolean): void {
    this.more = more;
    const last = rows.at(-1);
    if (!more && this.startsOver) [this.endedAt, this.id] = [0, ''];
    else if (last !== undefined) [this.endedAt, this.id] = [Number(last['ended_at']), String(last['id'])];
  }
}

/** How far the purges of this process have come. */
export class PurgeProgress {
  readonly sessions = new PurgeCursor(true);
  readonly logouts = new PurgeCursor(true);
  /** Whose tokens had to stay a revocation erases, or the end of the session's own retention. */
  readonly tokens = new PurgeCursor(false);

  /** Was there more to look at than the last call has? */
  get more(): boolean {
    return this.sessions.more || this.logouts.more || this.tokens.more;
  }
}
