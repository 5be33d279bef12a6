import { Injectable } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { Clock, type Moment } from '../clock.js';
import { Logger } from '../logger.js';
import { Measures } from '../measures/measures.js';
import { Random } from '../random.js';
import { SessionRepository } from '../store/session.repository.js';

/** How often the replica looks, milliseconds. */
const INTERVAL = 15_000;

/** How long a back-channel logout may take after the front-channel logout of the same login, milliseconds. */
const PATIENCE = 60_000;

/** How many logins the replica watches at most. Beyond, it counts no more until it has looked. */
const MOST_WATCHED = 1_000;

/**
 * Notices a back-channel that is silently broken: a firewall, a wrong URI at OneID, a guard before the route. OneID sends
 * each logout over both channels. So after a front-channel logout, the back-channel logout of the same login must come,
 * or must be here already.
 */
@Injectable()
export class BackchannelWatch extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  /** By target of the kind `sid`, oldest first. */
  private readonly watched = new Map<string, Moment>();
  private missing = 0;

  constructor(
    private readonly repository: SessionRepository,
    private readonly measures: Measures,
    clock: Clock,
    random: Random,
  ) {
    super('looking for back-channel logouts that have not come', INTERVAL, clock, random);
  }

  /** The number of front-channel logouts, since this process started, without a back-channel logout in time. */
  get missed(): number {
    return this.missing;
  }

  /** @param sidTarget the login, as a target of the kind `sid`, that a front-channel logout has just ended */
  expect(sidTarget: string): void {
    if (this.watched.size < MOST_WATCHED && !this.watched.has(sidTarget))
      this.watched.set(sidTarget, this.clock.moment());
  }

  protected async work(): Promise<void> {
    for (const [sidTarget, since] of [...this.watched]) {
      const ageMs = Math.ceil(this.clock.ageOf(since));
      if (this.stopping || ageMs < PATIENCE) return;
      const came = await this.hasCome(sidTarget, ageMs + PATIENCE);
      this.watched.delete(sidTarget);
      if (!came) this.countMissing();
    }
  }

  /** Some providers name only the `sub` in their logout tokens. */
  private async hasCome(sidTarget: string, withinMs: number): Promise<boolean> {
    const users = await this.repository.findUsers(sidTarget);
    return this.repository.hasBackchannelLogout([sidTarget, ...users], withinMs);
  }

  private countMissing(): void {
    this.missing += 1;
    this.measures.countLogouts('backchannel', 'missing');
    if (this.missing > 1) return;
    this.logger.warn(
      'A front-channel logout has ended a login, but its back-channel logout has not come within a minute. If both ' +
        'channels are registered at OneID, OneID probably does not reach POST /backchannel_logout: check the registered ' +
        'URI, the firewall, and what answers before the route (npx nestjs-oneid-logout doctor asks the route). Until ' +
        'then, a user whose browser loads no iframe stays signed in here. This is logged once; ' +
        'ReplicaStatus.read().missingBackchannelLogouts counts them.',
    );
  }
}
