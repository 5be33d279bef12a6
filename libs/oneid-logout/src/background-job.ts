import { Logger } from './logger.js';
import { type Clock, type Timer } from './clock.js';
import { reasonOf } from './oneid-logout.errors.js';
import { OneAtATime } from './one-at-a-time.js';
import { OwnContext } from './own-context.js';
import { type Random } from './random.js';

/** Work outside the requests. It runs when woken and at an interval, one run at a time. Failures are only logged. */
export abstract class BackgroundJob {
  private timer: Timer | undefined;
  private stopped = false;
  private readonly context = new OwnContext();
  private readonly oneRun = new OneAtATime(() => this.workOrLog());

  /** @param intervalMs between two runs on average: each process adds or takes away up to a quarter at random */
  protected constructor(
    private readonly description: string,
    private readonly intervalMs: number,
    protected readonly clock: Clock,
    private readonly random: Random,
  ) {}

  protected abstract work(): Promise<void>;

  /** Long work checks this between its steps, and leaves the rest for a later run. */
  protected get stopping(): boolean {
    return this.stopped;
  }

  /** Does the job run at its interval: has it been started, and not been stopped? */
  protected get isStarted(): boolean {
    return this.timer !== undefined && !this.stopped;
  }

  /** The current run; undefined when the job is idle. */
  get run(): Promise<void> | undefined {
    return this.oneRun.current;
  }

  /** Starts the timer; the first run comes one interval later. */
  start(): void {
    // a random interval; otherwise replicas that booted together would always work at the same moments
    const interval = this.intervalMs * (0.75 + this.random.fraction() / 2);
    this.timer = this.clock.every(interval, () => void this.wake());
  }

  /** Runs now, or once more after the current run. Resolves when no run is left; after {@link stop} it does not run. */
  wake(): Promise<void> {
    return this.context.run(() => this.oneRun.request());
  }

  /** Lets the current run finish and starts no new run. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.oneRun.close();
  }

  private async workOrLog(): Promise<void> {
    try {
      await this.work();
    } catch (error) {
      new Logger('OneIdLogout').error(
        `A background job failed (${this.description}). The library will run it again: ${reasonOf(error)}`,
      );
    }
  }
}
