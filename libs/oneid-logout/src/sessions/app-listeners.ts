import { Observable, type Observer, type Operator, Subscriber, type Subscription } from 'rxjs';
import { Logger } from '../logger.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { letWatch } from '../watching.js';

type Listener<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * The same stream for listeners of the app. A listener that throws, or whose promise rejects, is logged and gets the
 * next value as usual; RxJS would end the process. This also holds behind operators that the app adds with `pipe()`. An
 * error inside an operator ends the subscription, as always in RxJS, and is logged if the listener has no `error`.
 *
 * @param name of the stream, for the log
 */
export function forAppListeners<T>(source: Observable<T>, name: string): Observable<T> {
  return new ForAppListeners(name, source);
}

/* eslint-disable @typescript-eslint/no-deprecated -- RxJS means its callers, and gives no other way to extend it */
class ForAppListeners<T> extends Observable<T> {
  constructor(
    private readonly streamName: string,
    stream: Observable<T>,
  ) {
    super((subscriber) => stream.subscribe(subscriber));
  }

  /** RxJS calls it for each operator of `pipe()`. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    return forAppListeners(super.lift(operator), this.streamName);
  }

  override subscribe(
    listener?: Listener<T>,
    onError?: ((error: unknown) => void) | null,
    onComplete?: (() => void) | null,
  ): Subscription {
    // an operator's own subscriber passes its errors on, to the listener at the end of the pipe
    if (listener instanceof Subscriber) return super.subscribe(listener);
    const given =
      typeof listener === 'object' && listener !== null
        ? listener
        : { next: listener ?? undefined, error: onError ?? undefined, complete: onComplete ?? undefined };
    const log = (fault: string, error: unknown) => {
      new Logger('OneIdLogout').error(`A listener of ${this.streamName} ${fault}: ${reasonOf(error)}`);
    };
    const report = (error: unknown) => {
      log('failed', error);
    };
    return super.subscribe({
      next: (value) => letWatch(() => given.next?.(value), report),
      error: (error) =>
        letWatch(() => {
          if (given.error === undefined) log('hears nothing more, because an operator before it failed', error);
          else given.error(error);
        }, report),
      complete: () => letWatch(() => given.complete?.(), report),
    });
  }
}
