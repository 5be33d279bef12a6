/** Runs the work when asked, one run at a time. All requests during a run together cause one more run after it. */
export class OneAtATime {
  private running: Promise<void> | undefined;
  private again = false;
  private closed = false;

  /** @param work its failures are ignored */
  constructor(private readonly work: () => Promise<unknown>) {}

  /** The current run; undefined between runs. */
  get current(): Promise<void> | undefined {
    return this.running;
  }

  /** Runs now, or once more after the current run. Resolves when no run is left; after {@link close} it does not run. */
  async request(): Promise<void> {
    if (this.closed) return;
    this.again = true;
    this.running ??= this.runUntilQuiet();
    await this.running;
  }

  /** Lets the current run finish and starts no new run. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
  }

  private async runUntilQuiet(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false;
      await this.work().catch(() => undefined);
    }
    // clear it synchronously; otherwise a request in this turn is lost
    this.running = undefined;
  }
}
