import { Ages, Clock, type Stopwatch } from '../../libs/oneid-logout/src/clock.js';
import {
  type SqlDialect,
  sqlDialects,
  type SupportedDatabase,
} from '../../libs/oneid-logout/src/database/sql-dialect.js';

/** Clocks that a test can move: the process's, and the database's. */
export class TestClock extends Clock {
  /** Milliseconds that this process's stopwatch is ahead. */
  stopwatchAhead = 0;

  /** Milliseconds that this process's clock is ahead. */
  ahead = 0;
  /** Milliseconds that the database's clock is ahead. */
  databaseAhead = 0;

  override now(): number {
    return Date.now() + this.ahead;
  }

  /** Seconds, as tokens count. */
  get seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** The stopwatch that goes with this clock. */
  readonly stopwatch: Stopwatch = { read: () => performance.now() + this.stopwatchAhead };

  /** By this clock and its stopwatch. */
  readonly ages = new Ages(this, this.stopwatch);

  /** Lets time pass on all clocks. @param milliseconds negative steps the two back that can */
  advance(milliseconds: number): void {
    this.ahead += milliseconds;
    this.databaseAhead += milliseconds;
    this.stopwatchAhead += Math.max(0, milliseconds);
  }

  /** The dialect of a database, its clock moved by this one. */
  dialect(type: SupportedDatabase): SqlDialect {
    const dialect: SqlDialect = sqlDialects[type];
    const ahead = () => this.databaseAhead;
    return {
      ...dialect,
      get now() {
        return `(${dialect.now} + ${ahead()})`;
      },
    };
  }
}
