import { BackgroundJob } from '../background-job.js';
import { type Clock, type Moment } from '../clock.js';
import { type Random } from '../random.js';
import { MAX_COMMIT_LATENESS } from '../store/logout-changes.js';
import { type SessionRepository } from '../store/session.repository.js';

/** How often to search, milliseconds. The pause before the next search for one logout doubles. */
const INTERVAL = 2_000;
const LONGEST_PAUSE = 5 * 60 * 1000;

/** How long to search for an uncertain logout, milliseconds. */
const SEARCHED_FOR = 60 * 60 * 1000;

/** How many ids to remember; the oldest are dropped first. The caller of each was already told of the failure. */
const MOST = 10_000;

/** How many ids to search for with one statement. */
const BATCH = 500;

interface Search {
  readonly since: Moment;
  last: Moment;
  pause: number;
}

/**
 * Logouts whose recording has failed, as far as this process knows. The database may still commit one, but later than
 * followers look back, and the caller may not retry. This job gives such a logout a new time when it appears.
 */
export class UncertainLogouts extends BackgroundJob {
  private readonly searches = new Map<string, Search>();

  constructor(
    private readonly repository: SessionRepository,
    clock: Clock,
    random: Random,
  ) {
    super('searching for logouts that were written late', INTERVAL, clock, random);
  }

  get size(): number {
    return this.searches.size;
  }

  add(ids: readonly string[]): void {
    const now = this.clock.moment();
    for (const id of ids) this.searches.set(id, { since: now, last: now, pause: 0 });
    for (const id of this.searches.keys()) {
      if (this.searches.size <= MOST) break;
      this.searches.delete(id);
    }
  }

  protected async work(): Promise<void> {
    for (const [id, { since }] of this.searches) {
      if (this.clock.ageOf(since) > SEARCHED_FOR) this.searches.delete(id);
    }
    const due = [...this.searches].filter(([, { last, pause }]) => this.clock.ageOf(last) >= pause);
    for (let n = 0; n < due.length && !this.stopping; n += BATCH) {
      // the database does not answer: try again at the next interval
      if (!(await this.touch(due.slice(n, n + BATCH)))) return;
    }
  }

  /** @returns whether the database has answered */
  private async touch(batch: readonly (readonly [string, Search])[]): Promise<boolean> {
    const ids = batch.map(([id]) => id);
    const sent = this.clock.moment();
    try {
      const touched = await this.repository.touchLogouts(ids);
      const inTime = this.clock.ageOf(sent) <= MAX_COMMIT_LATENESS;
      const found = touched === 0 ? new Map<string, unknown>() : await this.repository.findLogouts(ids);
      for (const [id, search] of batch) {
        if (inTime && found.has(id)) this.searches.delete(id);
        search.last = sent;
        search.pause = Math.min(Math.max(search.pause * 2, INTERVAL), LONGEST_PAUSE);
      }
      return true;
    } catch {
      return false;
    }
  }
}
