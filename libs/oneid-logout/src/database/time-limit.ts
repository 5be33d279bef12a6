import { type Clock } from '../clock.js';

/** The time limit of some work, and the action that stops the running part of the work when the time is over. */
export class TimeLimit {
  private over = false;
  private onExpiry: ((reason: Error) => void) | undefined;

  private constructor(private readonly milliseconds: number) {}

  /**
   * Resolves or rejects as the work does, or rejects when the time is over. The work may then still run on.
   *
   * @param milliseconds from now
   */
  static enforce<T>(milliseconds: number, clock: Clock, work: (limit: TimeLimit) => Promise<T>): Promise<T> {
    const limit = new TimeLimit(milliseconds);
    return new Promise<T>((resolve, reject) => {
      const timer = clock.after(milliseconds, () => {
        reject(limit.reason());
        limit.expire();
      });
      work(limit)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  /** Whether the time is over, and the caller has already got its error. */
  get isOver(): boolean {
    return this.over;
  }

  /** @throws {Error} the time is over */
  check(): void {
    if (this.over) throw this.reason();
  }

  /**
   * Runs a part of the work. When the time ends during this part, it calls `cut` and rejects without waiting for it.
   *
   * @param cut stops the part
   */
  async cutting<T>(part: () => Promise<T>, cut: () => void): Promise<T> {
    this.check();
    try {
      return await new Promise<T>((resolve, reject) => {
        this.onExpiry = (reason) => {
          reject(reason);
          cut();
        };
        part().then(resolve, reject);
      });
    } finally {
      this.onExpiry = undefined;
    }
  }

  private expire(): void {
    this.over = true;
    this.onExpiry?.(this.reason());
  }

  private reason(): Error {
    return new Error(`The statement took longer than ${this.milliseconds} ms`);
  }
}
