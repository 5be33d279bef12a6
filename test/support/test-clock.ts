import { Clock, type Timer } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import {
  type SqlDialect,
  sqlDialects,
  type SupportedDatabase,
} from '../../libs/oneid-logout/src/database/sql-dialect.js';

interface Waiting {
  readonly due: number;
  readonly run: () => void;
  /** Fires when real time has come so far; undefined on a stopped clock. */
  readonly timer: NodeJS.Timeout | undefined;
}

/** Clocks and timers that a test can move: the process's, and the database's. */
export class TestClock extends Clock {
  /** Milliseconds that this process's monotonic clock is ahead of real time. */
  monotonicAhead = 0;
  /** Milliseconds that this process's wall clock is ahead of real time. */
  ahead = 0;
  /** Milliseconds that the database's clock is ahead of real time. */
  databaseAhead = 0;
  private readonly waiting = new Set<Waiting>();

  /** @param stoppedAt milliseconds since the epoch: this clock moves only when the test moves it */
  constructor(private readonly stoppedAt?: number) {
    super();
  }

  override now(): number {
    return (this.stoppedAt ?? Date.now()) + this.ahead;
  }

  override monotonicNow(): number {
    return (this.stoppedAt ?? performance.now()) + this.monotonicAhead;
  }

  override after(milliseconds: number, run: () => void): Timer {
    const fire = () => {
      if (this.waiting.delete(waiting)) run();
    };
    const timer = this.stoppedAt === undefined ? setTimeout(fire, milliseconds).unref() : undefined;
    const waiting: Waiting = { due: this.monotonicNow() + milliseconds, run: fire, timer };
    this.waiting.add(waiting);
    return {
      cancel: () => {
        clearTimeout(timer);
        this.waiting.delete(waiting);
      },
    };
  }

  override every(milliseconds: number, run: () => void): Timer {
    const again = () => {
      timer = this.after(milliseconds, again);
      run();
    };
    let timer = this.after(milliseconds, again);
    return { cancel: () => timer.cancel() };
  }

  override async delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = this.after(milliseconds, resolve);
      const abort = () => {
        timer.cancel();
        resolve();
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** How many timers wait. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Seconds, as tokens count. */
  get seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /**
   * Lets time pass on all clocks, and fires the timers that are due then, the earliest first.
   *
   * @param milliseconds negative steps the two clocks back that can
   */
  advance(milliseconds: number): void {
    this.ahead += milliseconds;
    this.databaseAhead += milliseconds;
    this.monotonicAhead += Math.max(0, milliseconds);
    const due = [...this.waiting].filter((timer) => timer.due <= this.monotonicNow());
    for (const { run, timer } of due.sort((a, b) => a.due - b.due)) {
      clearTimeout(timer);
      run();
    }
  }

  /** Connects to databases whose clock is moved by this one. */
  readonly connector: DatabaseConnector = new MovedConnector(this);

  /** The dialect of a database, its clock moved by this one. */
  dialect(type: SupportedDatabase): SqlDialect {
    const dialect: SqlDialect = sqlDialects[type];
    const base = this.stoppedAt ?? dialect.now;
    const ahead = () => this.databaseAhead;
    return {
      ...dialect,
      get now() {
        return `(${base} + ${ahead()})`;
      },
    };
  }
}

class MovedConnector extends DatabaseConnector {
  constructor(private readonly clock: TestClock) {
    super();
  }

  protected override dialectOf(type: SupportedDatabase): SqlDialect {
    return this.clock.dialect(type);
  }
}
