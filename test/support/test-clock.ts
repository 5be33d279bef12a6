import { type Timer } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import {
  type SqlDialect,
  sqlDialects,
  type SupportedDatabase,
} from '../../libs/oneid-logout/src/database/sql-dialect.js';
import { TimerClock } from './timer-clock.js';

interface PendingTimer {
  readonly due: number;
  readonly run: () => void;
  /** Fires when this time has passed in real time. Undefined on a stopped clock. */
  readonly timer: NodeJS.Timeout | undefined;
}

/** The clocks and timers of this process and of the database. A test can move them. */
export class TestClock extends TimerClock {
  /** How far this process's monotonic clock is ahead of real time, milliseconds. */
  monotonicAhead = 0;
  /** How far this process's wall clock is ahead of real time, milliseconds. */
  ahead = 0;
  /** How far the database's clock is ahead of real time, milliseconds. */
  databaseAhead = 0;
  private readonly waiting = new Set<PendingTimer>();

  /** @param stoppedAt milliseconds since the epoch. With this value, the clock moves only when the test moves it */
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
    const waiting: PendingTimer = { due: this.monotonicNow() + milliseconds, run: fire, timer };
    this.waiting.add(waiting);
    return {
      cancel: () => {
        clearTimeout(timer);
        this.waiting.delete(waiting);
      },
    };
  }

  /** The number of timers that have not fired yet. */
  get timers(): number {
    return this.waiting.size;
  }

  /** The wall clock in seconds since the epoch, as in tokens. */
  get seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /**
   * Moves all clocks, and fires the timers that are then due, the earliest first.
   *
   * @param milliseconds may be negative. The monotonic clock then stays, and the two other clocks step back
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

  /** Connects to databases. Their statements see the database's clock as this object moves it. */
  readonly connector: DatabaseConnector = new MovedConnector(this);

  /** The SQL dialect of a database, with the moved clock. */
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
