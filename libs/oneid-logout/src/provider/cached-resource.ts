import { Logger } from '../logger.js';
import { type Clock, type Moment } from '../clock.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { RequestAbandoned } from './provider-fetch.js';

/** A cached value, and the fetch that brought it. */
export interface Fetched<T> {
  readonly content: T;
  /** When the fetch began. */
  readonly startedAt: Moment;
  /** The number of the fetch: a later fetch has a larger one. */
  readonly attempt: number;
}

export interface FetchTimes {
  /** A value of this age is fetched again: milliseconds. */
  readonly maxAge: number;
  /** The budget of fetches grows by one in this time, milliseconds. Failed fetches count, too. */
  readonly coolDown: number;
  /** The largest budget. By default 1: each fetch waits for the cool-down after the one before. */
  readonly burst?: number;
}

/** Caches one fetched value, such as the provider's keys. One fetch runs at a time, and a budget limits the fetches. */
export class CachedResource<T> {
  private value: Fetched<T> | undefined;
  private failure: { readonly error: unknown } | undefined;
  private underWay: Promise<boolean> | undefined;
  private started = 0;
  /** When the whole budget is there again: milliseconds. */
  private fullAt = 0;

  constructor(
    private readonly load: () => Promise<T>,
    private readonly clock: Clock,
    private readonly times: FetchTimes,
    private readonly description = "the provider's data",
  ) {}

  /** How many fetches have begun so far. A value with a larger `attempt` was fetched after this call. */
  get attempts(): number {
    return this.started;
  }

  /** How many fetches have ended so far, failed ones included. */
  get endedAttempts(): number {
    return this.underWay === undefined ? this.started : this.started - 1;
  }

  /**
   * The cached value, fetched again when it is older than `maxAge`. If that fetch fails, the caller gets the old
   * value.
   *
   * @throws the error of the last attempt, when no attempt has succeeded yet
   */
  async get(): Promise<Fetched<T>> {
    if (this.value === undefined || this.isOld(this.value)) await this.refresh();
    if (this.value === undefined) throw this.failure?.error;
    return this.value;
  }

  /**
   * Fetches the value again, or waits for the fetch under way. Never throws.
   *
   * @returns false if the fetch has failed, or the budget is used up
   */
  async refresh(): Promise<boolean> {
    if (this.underWay === undefined) {
      if (!this.hasBudget()) return false;
      this.underWay = this.attempt().finally(() => {
        this.underWay = undefined;
        this.fullAt = Math.max(this.fullAt, this.clock.now()) + this.times.coolDown;
      });
    }
    return this.underWay;
  }

  /** Fetches the value again, or waits for the fetch under way, whatever the budget. Never throws. */
  async refreshAnyway(): Promise<void> {
    this.underWay ??= this.attempt().finally(() => {
      this.underWay = undefined;
    });
    await this.underWay;
  }

  /** The value of the last successful fetch, however old. */
  get latest(): Fetched<T> | undefined {
    return this.value;
  }

  private async attempt(): Promise<boolean> {
    const startedAt = this.clock.moment();
    const attempt = ++this.started;
    try {
      this.value = { content: await this.load(), startedAt, attempt };
      this.failure = undefined;
      return true;
    } catch (error) {
      this.failure = { error };
      if (error instanceof RequestAbandoned) return false;
      new Logger('OneIdLogout').warn(`Could not get ${this.description}: ${reasonOf(error)}`);
      return false;
    }
  }

  private hasBudget(): boolean {
    const { coolDown, burst = 1 } = this.times;
    const untilFull = this.fullAt - this.clock.now();
    // a clock that has stepped back gives the whole budget; otherwise fetching would stop until the clock has caught up
    if (untilFull > burst * coolDown) this.fullAt = 0;
    return untilFull > burst * coolDown || untilFull <= (burst - 1) * coolDown;
  }

  private isOld({ startedAt }: Fetched<T>): boolean {
    const elapsed = this.clock.now() - startedAt.wall;
    // also after the clock has stepped back
    return elapsed < 0 || elapsed >= this.times.maxAge;
  }
}
