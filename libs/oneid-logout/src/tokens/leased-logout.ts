import { type Clock } from '../clock.js';
import { type DueLogout, LEASE } from '../store/revocation-queue.js';

const MINUTE = 60_000;

/** How long after the provider's first 200 for a token it is asked once more, milliseconds. */
export const CONFIRM_AFTER = MINUTE;

/**
 * The pause before the next try: as long as the time since the logout, within these limits, milliseconds.
 *
 * - `kept`: another session of the login is alive. It may end without a logout of its own, for example by its expiry.
 * - `retry`: the provider is down.
 * - `retryElsewhere`: another replica may be able to revoke. It may have other clients, or a newer secret.
 * - `retrySoon`: the provider went down after it had revoked some of the tokens.
 * - `confirm`: the provider has said that it has revoked a token, and is asked once more.
 * - `slow`: there are more tokens, of a logout that is no hurry and may have very many.
 */
const PAUSES = {
  kept: { least: MINUTE, most: 60 * MINUTE },
  retry: { least: MINUTE, most: 6 * 60 * MINUTE },
  retryElsewhere: { least: MINUTE, most: 10 * MINUTE },
  retrySoon: { least: MINUTE, most: MINUTE },
  confirm: { least: CONFIRM_AFTER, most: CONFIRM_AFTER },
  slow: { least: MINUTE / 2, most: MINUTE / 2 },
};

/** How long a replica works on one logout before it gives the logout back, milliseconds. */
const TURN = LEASE / 2;

/** `done`: no tokens remain. `continue`: go on with the remaining tokens now. The others name the next pause. */
export type Outcome = 'done' | 'continue' | keyof typeof PAUSES;

/** A due logout, and the time that this replica has worked on it under its lease. */
export class LeasedLogout {
  /** Some of its tokens wait for the end of another session. Such a logout is not overdue. */
  someKept = false;

  /** @param readAt the monotonic clock just before the read of the logout, milliseconds */
  constructor(
    readonly logout: DueLogout,
    private readonly readAt: number,
    private readonly clock: Clock,
  ) {}

  /** The database's clock, milliseconds: it counts on from the read of the logout. */
  get now(): number {
    return this.logout.now + this.elapsed;
  }

  /** Is it time to give the logout back? */
  get isOver(): boolean {
    return this.elapsed > TURN;
  }

  /** When to work on the logout again: the database's clock, milliseconds; null for never. */
  nextDue(outcome: Outcome): number | null {
    const { now: readAt, overdue, recordedAt } = this.logout;
    if (outcome === 'done') return null;
    // now, but after the logouts that became due earlier
    if (outcome === 'continue') return readAt;
    if (overdue && !this.someKept) return null;
    const { least, most } = PAUSES[outcome];
    return this.now + Math.min(Math.max(this.now - recordedAt, least), most);
  }

  private get elapsed(): number {
    return Math.ceil(this.clock.monotonicNow() - this.readAt);
  }
}
