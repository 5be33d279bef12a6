import { Injectable } from '@nestjs/common';

/** The process's clock. Tests replace it; what must agree between replicas uses the database's clock instead. */
@Injectable()
export class Clock {
  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }
}
