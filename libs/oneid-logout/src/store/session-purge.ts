import { Injectable } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { Clock } from '../clock.js';
import { Random } from '../random.js';
import { PurgeProgress } from './purge-progress.js';
import { SessionRepository } from './session.repository.js';

/** How often to purge, milliseconds. */
const INTERVAL = 10 * 60 * 1000;

/** Rows per batch. Small, because SQLite runs inside this process, and a statement blocks all requests. */
export const PURGE_BATCH = 25;
/** Batches per run. The next run goes on with the other rows. */
const MAX_BATCHES = 400;

/** Deletes sessions, tokens and logouts on which no answer depends any more, in batches of limited size. */
@Injectable()
export class SessionPurge extends BackgroundJob {
  private readonly progress = new PurgeProgress();

  constructor(
    private readonly repository: SessionRepository,
    clock: Clock,
    random: Random,
  ) {
    super('deleting old sessions, tokens and logouts', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    for (let batch = 0; batch < MAX_BATCHES && !this.stopping; batch++) {
      await this.clock.endOfTurn();
      await this.repository.purge(PURGE_BATCH, this.progress);
      if (!this.progress.more) return;
    }
  }
}
