import { Injectable } from '@nestjs/common';

/** The process's clock. Tests replace it; what must agree between replicas uses the database's clock instead. */
@Injectable()
export class Clock {
  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }
}

/** Measures time that passes: it never steps, but stands still while the machine is suspended. */
@Injectable()
export class Stopwatch {
  /** Milliseconds since some moment that means nothing. */
  read(): number {
    return performance.now();
  }
}

/** A moment on both clocks of this process. */
export interface Moment {
  readonly clock: number;
  readonly stopwatch: number;
}

/** How long ago something was, by whichever clock says more: one may be set, the other stands still in a suspended machine. */
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
