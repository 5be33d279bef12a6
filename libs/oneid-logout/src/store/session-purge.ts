import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { BackgroundJob } from '../background-job.js';
import { Clock } from '../clock.js';
import { Random } from '../random.js';
import { MAX_CLOCK_DIFFERENCE } from './clock-difference.js';
import { OldRows } from './old-rows.js';
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
  private readonly logger = new Logger('OneIdLogout');
  private readonly progress = new PurgeProgress();
  private warned = false;

  constructor(
    private readonly repository: SessionRepository,
    private readonly oldRows: OldRows,
    clock: Clock,
    random: Random,
  ) {
    super('deleting old sessions, tokens and logouts', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    const now = await this.repository.findNow();
    if (!this.clocksAgree(now)) return;
    for (let batch = 0; batch < MAX_BATCHES && !this.stopping; batch++) {
      await this.clock.endOfTurn();
      await this.oldRows.purge(PURGE_BATCH, this.progress, now);
      if (!this.progress.more) return;
    }
  }

  /**
   * If one of the two clocks is wrong, a purge could delete logouts that still end sessions, and their users would be
   * let in again. So the purge waits until the clocks agree. Logouts are recorded all the same.
   */
  private clocksAgree(databaseNow: number): boolean {
    const difference = databaseNow - this.clock.now();
    const agree = Math.abs(difference) <= MAX_CLOCK_DIFFERENCE;
    if (!agree && !this.warned) {
      this.logger.warn(
        `The library deletes no old rows: the database's clock and this host's clock differ by ` +
          `${Math.round(Math.abs(difference) / 1000)} s. Set the wrong clock right.`,
      );
    }
    this.warned = !agree;
    return agree;
  }
}
