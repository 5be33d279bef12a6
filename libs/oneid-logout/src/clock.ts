import { Injectable } from '@nestjs/common';

/** The process's clock. Tests replace it. Times that replicas compare come from the database's clock instead. */
@Injectable()
export class Clock {
  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }
}

/** Monotonic clock. It never steps, but it stands still while the machine is suspended. */
@Injectable()
export class Stopwatch {
  /** Milliseconds since an arbitrary start: use differences only. */
  read(): number {
    return performance.now();
  }
}

/** A moment on both clocks of this process. */
export interface Moment {
  readonly clock: number;
  readonly stopwatch: number;
}

/** Ages of moments: the larger of both clocks. `Clock` may be set; `Stopwatch` stands still in a suspended machine. */
@Injectable()
export class Ages {
  constructor(
    private readonly clock: Clock,
    private readonly stopwatch: Stopwatch,
  ) {}

  now(): Moment {
    return { clock: this.clock.now(), stopwatch: this.stopwatch.read() };
  }

  /** Milliseconds. */
  of(moment: Moment): number {
    return Math.max(this.stopwatch.read() - moment.stopwatch, this.clock.now() - moment.clock);
  }
}
