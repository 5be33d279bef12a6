import { BackgroundJob } from '../background-job.js';
import { type Ages, type Moment } from '../clock.js';
import { type SessionRepository } from '../store/session.repository.js';

/**
 * How long after the time it bears a logout may be committed, milliseconds: replicas that follow the logouts look no
 * further back than they must.
 */
export const MAX_LATENESS = 1_000;

/** How often to look for them, and for how long: milliseconds. */
const INTERVAL = 2_000;
const PATIENCE = 60 * 60 * 1000;

/** How many to remember, the youngest: each is a failure of the store's that somebody was told of. */
const MOST = 10_000;

/**
 * Logouts whose writing has failed, as far as this process knows. The database may commit one all the same, later than
 * followers look back, and not everybody who was told of the failure comes again: so it gets a new time when it turns up.
 */
export class UncertainLogouts extends BackgroundJob {
  private readonly since = new Map<string, Moment>();

  constructor(
    private readonly repository: SessionRepository,
    private readonly ages: Ages,
  ) {
    super('search for logouts that were written late', INTERVAL);
  }

  get size(): number {
    return this.since.size;
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.since.set(id, this.ages.now());
    for (const id of this.since.keys()) {
      if (this.since.size <= MOST) break;
      this.since.delete(id);
    }
  }

  protected async work(): Promise<void> {
    for (const [id, since] of this.since) {
      if (this.stopping) return;
      if (this.ages.of(since) > PATIENCE) this.since.delete(id);
      // while the store is down none of them can be found
      else if (!(await this.touch(id))) return;
    }
  }

  /** @returns whether the store has answered */
  private async touch(id: string): Promise<boolean> {
    const sent = this.ages.now();
    try {
      const found = await this.repository.touchLogouts([id]);
      if (found > 0 && this.ages.of(sent) <= MAX_LATENESS) this.since.delete(id);
      return true;
    } catch {
      return false;
    }
  }
}
