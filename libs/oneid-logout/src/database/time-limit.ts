import { type Clock } from '../clock.js';

/** The time limit of some work, and the action that stops the running part of the work when the time is over. */
export class TimeLimit {
  private overdue = false;
  private cut: (() => void) | undefined;

  /**
   * Resolves or rejects as the work does, or rejects when the time is over. The work may then still run on.
   *
   * @param milliseconds from now
   */
  static enforce<T>(milliseconds: number, clock: Clock, work: (limit: TimeLimit) => Promise<T>): Promise<T> {
    const limit = new TimeLimit();
    return new Promise<T>((resolve, reject) => {
      const timer = clock.after(milliseconds, () => {
        reject(new Error(`The statement took longer than ${milliseconds} ms`));
        limit.expire();
      });
      work(limit)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  /** @throws {Error} the time is over, and the caller has already got its error */
  check(): void {
    if (this.overdue) throw new Error('The time limit of the statement has passed');
  }

  /** @param cut stops the part of the work that begins now, if the time ends during it; undefined after that part */
  onExpiry(cut: (() => void) | undefined): void {
    this.cut = cut;
  }

  private expire(): void {
    this.overdue = true;
    this.cut?.();
  }
}
