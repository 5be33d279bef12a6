import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

/** A timer that can be stopped before it fires. */
export interface Timer {
  cancel(): void;
}

/** A moment on both clocks of this process. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/**
 * The process's clocks and timers. All code of the library takes time from here, so a test can hand in a clock that it
 * moves. Times that replicas compare come from the database's clock instead.
 */
@Injectable()
export class Clock {
  /** The wall clock: milliseconds since the epoch. It may be set, so it can step forward and back. */
  now(): number {
    return Date.now();
  }

  /**
   * The monotonic clock: milliseconds since an arbitrary start, so use differences only. It never steps, but it stands
   * still while the machine is suspended.
   */
  monotonicNow(): number {
    return performance.now();
  }

  /** Calls `run` once after this time. The timer does not keep the process running. */
  after(milliseconds: number, run: () => void): Timer {
    const timer = setTimeout(run, milliseconds).unref();
    return { cancel: () => clearTimeout(timer) };
  }

  /** Calls `run` again and again, with this time in between. The timer does not keep the process running. */
  every(milliseconds: number, run: () => void): Timer {
    const timer = setInterval(run, milliseconds).unref();
    return { cancel: () => clearInterval(timer) };
  }

  /** Resolves after this time, or as soon as `signal` aborts. It keeps the process running meanwhile. */
  async delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
    await delay(milliseconds, undefined, signal && { signal }).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    });
  }

  /** Resolves when the event loop has run the callbacks that are ready now. */
  endOfTurn(): Promise<void> {
    return endOfTurn();
  }

  moment(): Moment {
    return { wall: this.now(), monotonic: this.monotonicNow() };
  }

  /** Milliseconds since `moment`: the larger of the ages on both clocks, because each of the two can be wrong. */
  ageOf(moment: Moment): number {
    return Math.max(this.monotonicNow() - moment.monotonic, this.now() - moment.wall);
  }
}
