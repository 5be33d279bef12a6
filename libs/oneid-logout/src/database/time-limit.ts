/** The time that a piece of work has, and what to do to the part of it that is under way when it is over. */
export class TimeLimit {
  private overdue = false;
  private cut: (() => void) | undefined;

  /**
   * Resolves and rejects as the work does, or rejects when its time is over, whatever becomes of the work then.
   *
   * @param milliseconds from now
   */
  static enforce<T>(milliseconds: number, work: (limit: TimeLimit) => Promise<T>): Promise<T> {
    const limit = new TimeLimit();
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`The statement took longer than ${milliseconds} ms`));
        limit.expire();
      }, milliseconds);
      timer.unref();
      work(limit)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  /** @throws {Error} the time is over: nobody waits for the result any more */
  check(): void {
    if (this.overdue) throw new Error('The time is over');
  }

  /** What to do when the time is over before the part that begins now; nothing when it has ended. */
  onExpiry(cut: (() => void) | undefined): void {
    this.cut = cut;
  }

  private expire(): void {
    this.overdue = true;
    this.cut?.();
  }
}
