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
