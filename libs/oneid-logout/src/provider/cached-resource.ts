import { Logger } from '@nestjs/common';
import { type Clock } from '../clock.js';
import { reasonOf } from '../oneid-logout.errors.js';

/**
 * Caches one fetched value, such as the provider's keys. One fetch runs at a time. After each attempt, also a failed
 * one, the next fetch waits for a cool-down.
 */
export class CachedResource<T> {
  private value: { readonly content: T; readonly fetchedAt: number } | undefined;
  private failure: { readonly error: unknown } | undefined;
  private attemptedAt: number | undefined;
  private underWay: Promise<void> | undefined;
  private attempts = 0;

  /** @param times milliseconds: `maxAge` of the cached value, `coolDown` between two attempts */
  constructor(
    private readonly load: () => Promise<T>,
    private readonly clock: Clock,
    private readonly times: { readonly maxAge: number; readonly coolDown: number },
    private readonly description = "the provider's data",
  ) {}

  /** Did the last attempt fail? */
  get failed(): boolean {
    return this.failure !== undefined;
  }

  /**
   * The cached value, fetched again when it is older than `maxAge`. If that fetch fails, the caller gets the old value.
   *
   * @throws the error of the last attempt, when no attempt has succeeded yet
   */
  async get(): Promise<T> {
    if (this.value === undefined || this.isPast(this.value.fetchedAt, this.times.maxAge)) await this.refresh();
    if (this.value === undefined) throw this.failure?.error;
    return this.value.content;
  }

  /** Fetches the value again, unless the cool-down forbids it. Never throws: see {@link failed}. */
  async refresh(): Promise<void> {
    if (this.underWay === undefined) {
      if (this.attemptedAt !== undefined && !this.isPast(this.attemptedAt, this.times.coolDown)) return;
      this.underWay = this.attempt().finally(() => {
        this.underWay = undefined;
        this.attemptedAt = this.clock.now();
      });
    }
    await this.underWay;
  }

  /** @returns a function that says whether the fetch of the cached value began after this call and succeeded */
  watch(): () => boolean {
    const before = this.attempts;
    return () => this.failure === undefined && this.attempts > before;
  }

  /** Did the last attempt succeed, and did it begin at this moment (milliseconds) or later? */
  isNewerThan(moment: number): boolean {
    return this.failure === undefined && this.value !== undefined && this.value.fetchedAt >= moment;
  }

  private async attempt(): Promise<void> {
    const fetchedAt = this.clock.now();
    this.attempts += 1;
    try {
      this.value = { content: await this.load(), fetchedAt };
      this.failure = undefined;
    } catch (error) {
      this.failure = { error };
      new Logger('OneIdLogout').warn(`Could not get ${this.description}: ${reasonOf(error)}`);
    }
  }

  /** A clock that has stepped back counts as past; otherwise fetching would stop until the clock has caught up. */
  private isPast(since: number, duration: number): boolean {
    const elapsed = this.clock.now() - since;
    return elapsed < 0 || elapsed >= duration;
  }
}
