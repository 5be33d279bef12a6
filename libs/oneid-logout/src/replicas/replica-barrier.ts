import { type Clock } from '../clock.js';
import { type ReplicaRepository } from '../store/replica.repository.js';

/** Waits after the commit of a logout, until every replica refuses the sessions that the logout has ended. */
export class ReplicaBarrier {
  /** The next read of the replicas, not sent yet. Callers may share it, because it is sent after their commits. */
  private pendingRead: Promise<number> | undefined;

  constructor(
    private readonly replicas: ReplicaRepository,
    private readonly clock: Clock,
    /** How stale this replica may be, milliseconds: the shortest wait, even when the database has lost declarations. */
    private readonly least: number,
    /** For providers with a short timeout: `wait()` does not wait, so a replica may be stale after OneID's 200. */
    private readonly answersAtOnce: boolean,
  ) {}

  /** @throws {StoreUnavailableError} the replicas' staleness cannot be read, so OneID must not get a 200 */
  async wait(): Promise<void> {
    if (this.answersAtOnce) return;
    const recorded = this.clock.monotonicNow();
    // a replica remembers sessions only while it is declared: one that declares itself later reads the logout too
    const longest = Math.max(this.least, await this.findLongest());
    for (;;) {
      const left = recorded + longest - this.clock.monotonicNow();
      if (left <= 0) return;
      // a timer may fire early, so check again
      await this.clock.delay(Math.ceil(left));
    }
  }

  /** One read for all logouts that were committed together: their callers arrive in one turn of the event loop. */
  private findLongest(): Promise<number> {
    this.pendingRead ??= this.clock.endOfTurn().then(() => {
      this.pendingRead = undefined;
      return this.replicas.findMaxStaleness();
    });
    return this.pendingRead;
  }
}
