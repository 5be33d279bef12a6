import { BackgroundJob } from '../background-job.js';
import { type Clock, type Moment } from '../clock.js';
import { type Random } from '../random.js';
import { MAX_COMMIT_LATENESS } from '../rule/logout.js';
import { type SessionRepository } from '../store/session.repository.js';

/** How often to search for uncertain logouts, milliseconds. */
const INTERVAL = 2_000;

/** How long to search for an uncertain logout, milliseconds. */
const SEARCHED_FOR = 60 * 60 * 1000;

/** How many ids to remember; the oldest are dropped first. The caller of each was already told of the failure. */
const MOST = 10_000;

/**
 * Logouts whose recording has failed, as far as this process knows. The database may still commit one, but later than
 * followers look back, and the caller may not retry. This job gives such a logout a new time when it appears.
 */
export class UncertainLogouts extends BackgroundJob {
  private readonly since = new Map<string, Moment>();

  constructor(
    private readonly repository: SessionRepository,
    clock: Clock,
    random: Random,
  ) {
    super('searching for logouts that were written late', INTERVAL, clock, random);
  }

  get size(): number {
    return this.since.size;
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.since.set(id, this.clock.moment());
    for (const id of this.since.keys()) {
      if (this.since.size <= MOST) break;
      this.since.delete(id);
    }
  }

  protected async work(): Promise<void> {
    for (const [id, since] of this.since) {
      if (this.stopping) return;
      if (this.clock.ageOf(since) > SEARCHED_FOR) this.since.delete(id);
      // the database does not answer: try again at the next interval
      else if (!(await this.touch(id))) return;
    }
  }

  /** @returns whether the database has answered */
  private async touch(id: string): Promise<boolean> {
    const sent = this.clock.moment();
    try {
      const found = await this.repository.touchLogouts([id]);
      if (found > 0 && this.clock.ageOf(sent) <= MAX_COMMIT_LATENESS) this.since.delete(id);
      return true;
    } catch {
      return false;
    }
  }
}
