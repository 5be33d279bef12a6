import { Logger } from '@nestjs/common';
import { type Clock } from '../clock.js';

/**
 * Something fetched from the provider and kept: one fetch at a time, and after each attempt, failed ones too, a
 * cool-down in which nothing is fetched.
 */
export class CachedResource<T> {
  private value: { readonly content: T; readonly fetchedAt: number } | undefined;
  private failure: { readonly error: unknown } | undefined;
  private attemptedAt: number | undefined;
  private underWay: Promise<void> | undefined;
  private attempts = 0;

  /** @param times milliseconds: `maxAge` until it is fetched again, `coolDown` between two attempts */
  constructor(
    private readonly load: () => Promise<T>,
    private readonly clock: Clock,
    private readonly times: { readonly maxAge: number; readonly coolDown: number },
    private readonly description = 'what the provider has',
  ) {}

  /** Did the last attempt fail? */
  get failed(): boolean {
    return this.failure !== undefined;
  }

  /** What is kept, fetched anew when it is too old; an old one is better than none. */
  async get(): Promise<T> {
    if (this.value === undefined || this.isPast(this.value.fetchedAt, this.times.maxAge)) await this.refresh();
    if (this.value === undefined) throw this.failure?.error;
    return this.value.content;
  }

  /** Fetches anew, unless the cool-down forbids it. */
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

  /** Starts to watch: tells, when asked later, whether what is kept by then was asked for after the watch began. */
  watch(): () => boolean {
    const before = this.attempts;
    return () => this.failure === undefined && this.attempts > before;
  }

  /** What is kept is the newest there is to know about this moment (milliseconds). */
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

  /** A clock that has stepped back counts as past: it must not stop the fetching for as long as it stepped. */
  private isPast(since: number, duration: number): boolean {
    const elapsed = this.clock.now() - since;
    return elapsed < 0 || elapsed >= duration;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
