import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises';
import { type Stopwatch } from '../clock.js';
import { type ReplicaRepository } from '../store/replica.repository.js';

/** Waits until no replica takes for alive any more what a logout has ended that is on record by now. */
export class ReplicaBarrier {
  /** What has not been asked yet, so that it is asked after the commit of whoever waits for it now. */
  private question: Promise<number> | undefined;

  constructor(
    private readonly replicas: ReplicaRepository,
    private readonly stopwatch: Stopwatch,
    /** How far this replica may be behind, milliseconds: whatever the others have declared, or a database has lost. */
    private readonly least: number,
    /** For providers with little patience: then a replica may be behind OneID's 200 for as long as it may be stale. */
    private readonly answersAtOnce: boolean,
  ) {}

  /** @throws {StoreUnavailableError} how far the replicas may be behind can't be read: nobody may be told that they know */
  async wait(): Promise<void> {
    if (this.answersAtOnce) return;
    const recorded = this.stopwatch.read();
    // a replica that declares itself later has read nothing before the logout
    const longest = Math.max(this.least, await this.findLongest());
    for (;;) {
      const left = recorded + longest - this.stopwatch.read();
      if (left <= 0) return;
      // timers fire early, too
      await delay(Math.ceil(left));
    }
  }

  /** Asked once for all logouts that were committed together, which come here in one turn of the event loop. */
  private findLongest(): Promise<number> {
    this.question ??= endOfTurn().then(() => {
      this.question = undefined;
      return this.replicas.findMaxStaleness();
    });
    return this.question;
  }
}
