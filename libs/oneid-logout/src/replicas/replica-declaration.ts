import { type Clock, type Moment } from '../clock.js';
import { type ReplicaRepository } from '../store/replica.repository.js';

/** Milliseconds after which the replica renews its declaration. */
const RENEW_AFTER = 10 * 60 * 1000;

/**
 * Milliseconds after which the replica no longer trusts its declaration, and memory may not answer. It must be shorter
 * than `REPLICA_RETENTION` (one hour), after which the barrier of another replica ignores the declaration.
 */
const TRUSTED_FOR = 30 * 60 * 1000;

/**
 * The row by which this replica declares how stale its answers may be. OneID's 200 waits for every declared replica, so
 * memory may answer only while the declaration is valid.
 */
export class ReplicaDeclaration {
  /** Undefined while the replica must declare itself again. */
  private declaredAt: Moment | undefined;
  private periods = 0;
  private withdrawn = false;

  constructor(
    private readonly replicas: ReplicaRepository,
    private readonly clock: Clock,
    readonly replicaId: string,
    /** How stale this replica's answers may be, during an outage too, milliseconds. */
    private readonly declaredStalenessMs: number,
  ) {}

  get isValid(): boolean {
    return !this.withdrawn && this.declaredAt !== undefined && this.clock.ageOf(this.declaredAt) <= TRUSTED_FOR;
  }

  /** Changes when the replica declares itself after a time in which it was not declared. Undefined in such a time. */
  get period(): number | undefined {
    return this.isValid ? this.periods : undefined;
  }

  /**
   * Declares the replica if its declaration is lost or old.
   *
   * @param now when the caller's look began: the declaration counts from then
   * @throws {StoreUnavailableError}
   */
  async renew(now: Moment): Promise<void> {
    if (this.declaredAt !== undefined && this.clock.ageOf(this.declaredAt) <= RENEW_AFTER) return;
    await this.replicas.declare(this.replicaId, this.declaredStalenessMs);
    if (!this.isValid) this.periods += 1;
    this.declaredAt = now;
  }

  /** The database may have lost the declaration, so memory may not answer until the next {@link renew}. */
  lose(): void {
    this.declaredAt = undefined;
  }

  /** From now on memory may not answer. */
  expire(): void {
    this.withdrawn = true;
  }

  /** Deletes the declaration, so OneID's 200 no longer waits for this replica. A failure only makes OneID wait longer. */
  async withdraw(): Promise<void> {
    await this.replicas.withdraw(this.replicaId).catch(() => undefined);
  }
}
