/**
 * The longest step, milliseconds. When the option is lowered, a session in use has a recorded use that is at most 1¼ of this
 * old, however long the option was: so it is not idle by a new value of 15 minutes or more.
 */
const LONGEST_STEP = 10 * 60 * 1000;

/**
 * The times that follow from the option `maxIdleSeconds`, milliseconds. A session is over after this
 * time without use.
 *
 * Uses are recorded coarsely and in batches, so a recorded use is at most the last use, never later. A session therefore
 * never lives longer than the limit. A {@link step} is a twentieth of the limit, and ten minutes at most. These times keep the
 * session from ending more than two steps early:
 *
 * - A use is due to be recorded when the recorded use is {@link due} old, so 1¼ steps at most are never recorded.
 * - A batch has one time, of its oldest use. The others are at most {@link spread} later, so each write moves the recorded
 *   use on by a step or more.
 * - No write is accepted in the last {@link margin}, so no write is committed after a check has said that the session is
 *   idle.
 */
export class IdleLimit {
  /** How much older the time of a batch may be than its latest use: a quarter of a step. */
  readonly spread: number;
  /** A write takes less than this from the database's look at its clock to its commit: a quarter of a step. */
  readonly margin: number;
  /** The least that a write moves the recorded use on: a twentieth, and ten minutes at most. */
  readonly step: number;
  private readonly due: number;

  constructor(readonly maxIdleMs: number) {
    this.step = Math.min(maxIdleMs / 20, LONGEST_STEP);
    this.spread = Math.floor(this.step / 4);
    this.margin = this.spread;
    this.due = this.step + this.spread;
  }

  /** @param unusedMs since the recorded use, as for the other methods */
  isIdle(unusedMs: number): boolean {
    return unusedMs >= this.maxIdleMs;
  }

  /** Must a use now be recorded? */
  isDue(unusedMs: number): boolean {
    return unusedMs >= this.due;
  }

  /** Is the session in the last two steps of its idle time? A use must then be recorded at once. */
  isNearEnd(unusedMs: number): boolean {
    return unusedMs >= this.maxIdleMs - 2 * this.step;
  }
}

/** Provides the {@link IdleLimit} of a registration; undefined without the option `maxIdleSeconds`. */
export const IDLE_LIMIT = Symbol('oneid-logout idle limit');
