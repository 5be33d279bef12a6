import { Injectable } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { SessionRepository } from './session.repository.js';

const BATCH = 500;
const MAX_BATCHES = 20;

/** Deletes, in bounded batches, sessions and logouts on which no answer depends any more. */
@Injectable()
export class SessionPurge extends BackgroundJob {
  constructor(private readonly repository: SessionRepository) {
    super('purge of expired sessions', 10 * 60 * 1000);
  }

  protected async work(): Promise<void> {
    for (let batch = 0; batch < MAX_BATCHES; batch++) {
      if ((await this.repository.purge(BATCH)) === 0) return;
    }
  }
}
