import { Logger } from '@nestjs/common';

/** Work done beside the requests: when woken and every so often, one run at a time, its failures logged and no more. */
export abstract class BackgroundJob {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private wokenMeanwhile = false;
  private stopped = false;

  /** @param interval milliseconds */
  protected constructor(
    private readonly description: string,
    private readonly interval: number,
  ) {}

  protected abstract work(): Promise<void>;

  /** Long work looks at this between its steps, and leaves the rest for another time. */
  protected get stopping(): boolean {
    return this.stopped;
  }

  /** The run under way; undefined while there is none. */
  get run(): Promise<void> | undefined {
    return this.running;
  }

  start(): void {
    // apart from each other, or all replicas that booted together would come together for ever
    const jitter = this.interval * (0.75 + Math.random() / 2);
    this.timer = setInterval(() => void this.wake(), jitter).unref();
  }

  /** Runs now, or once more after the run under way; resolves when there is nothing more to run. */
  async wake(): Promise<void> {
    if (this.stopped) return;
    this.wokenMeanwhile = true;
    this.running ??= this.runUntilQuiet();
    await this.running;
  }

  /** Lets the run under way finish and starts no other. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  private async runUntilQuiet(): Promise<void> {
    while (this.wokenMeanwhile && !this.stopped) {
      this.wokenMeanwhile = false;
      try {
        await this.work();
      } catch (error) {
        const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
        new Logger('OneIdLogout').error(`The ${this.description} failed, it will be tried again: ${reason}`);
      }
    }
    // not a moment later, or who wakes it then is not heard
    this.running = undefined;
  }
}
