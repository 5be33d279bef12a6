import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { type PurgeCounts, SessionRepository } from './session.repository.js';

/** Small, as SQLite works in the process itself and stops all requests meanwhile. */
export const PURGE_BATCH = 25;
const MAX_BATCHES = 400;

/** Deletes, in bounded batches, sessions and logouts on which no answer depends any more. */
@Injectable()
export class SessionPurge extends BackgroundJob {
  constructor(private readonly repository: SessionRepository) {
    super('purge of expired sessions', 10 * 60 * 1000);
  }

  protected async work(): Promise<void> {
    const kept: PurgeCounts = { tokens: 0, sessions: 0, logouts: 0 };
    for (let batch = 0; batch < MAX_BATCHES && !this.stopping; batch++) {
      await setImmediate();
      const before = { ...kept };
      const deleted = await this.repository.purge(PURGE_BATCH, kept);
      if (deleted === 0 && isDeepStrictEqual(kept, before)) return;
    }
  }
}
