import { Clock, type Timer } from '../../libs/oneid-logout/src/clock.js';

/** A clock whose intervals and delays are made of its own {@link Clock.after}. */
export abstract class TimerClock extends Clock {
  abstract override after(milliseconds: number, run: () => void): Timer;

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
}
