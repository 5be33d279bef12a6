import { Injectable } from '@nestjs/common';
import { filter, map, type Observable, take } from 'rxjs';
import { type Logout, type LogoutChannel } from '../rule/logout.js';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { forAppListeners } from './app-listeners.js';
import { LogoutBus } from './logout-bus.js';

/**
 * A logout of a session, a login or a user: recorded, or verified and kept until the store can record it. It may end many
 * sessions, or sessions unknown to this process.
 *
 * @category Sessions
 */
export interface LogoutEvent {
  /** The source of the logout. */
  readonly channel: LogoutChannel;
  /** Who ended the sessions: `by` of the administrator's call of {@link SessionRegistry}. */
  readonly by?: string;
  /** Why: `reason` of the same call. */
  readonly reason?: string;
  /** Does this logout end the session? It answers from memory, without I/O. */
  ends(session: SessionFacts): boolean;
}

/**
 * Tells the app of logouts, so that it can clean up for a session: a cache entry, a job. Logouts of this process arrive
 * at once, also a logout of OneID that the store can't record yet. Logouts of other replicas arrive as soon as this
 * replica finds them. For sockets and streams use {@link SessionConnections}, which also notices missed logouts.
 *
 * A listener that throws, or whose promise rejects, is logged. It does not end the process, and changes no answer. If a
 * function inside an operator fails, for example in `mergeMap(async …)`, the listener hears nothing more, as always in
 * RxJS; the log says so. This covers `subscribe` and `pipe`. RxJS functions that make another stream are not covered: write
 * `logouts.pipe(mergeWith(other))`, and not `merge(logouts, other)`.
 *
 * @category Sessions
 * @hideconstructor
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { type Session, SessionEvents } from 'nestjs-oneid-logout';
 *
 * @Injectable()
 * export class Carts {
 *   private readonly cache = new Map<string, string[]>();
 *
 *   constructor(private readonly events: SessionEvents) {}
 *
 *   open(session: Session): string[] {
 *     const known = this.cache.get(session.id);
 *     if (known !== undefined) return known;
 *     const cart: string[] = [];
 *     this.cache.set(session.id, cart);
 *     this.events.ended(session).subscribe(() => this.cache.delete(session.id));
 *     return cart;
 *   }
 * }
 * ```
 */
@Injectable()
export class SessionEvents {
  /**
   * Emits each logout once; OneID's retries, and the recording of a logout that the store could not record at first,
   * emit no second event. A logout with several targets (a login and its user; each of a user's other sessions) emits
   * one event for each target.
   *
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { SessionEvents } from 'nestjs-oneid-logout';
   *
   * @Injectable()
   * export class LogoutCounts {
   *   readonly byChannel = new Map<string, number>();
   *
   *   constructor(events: SessionEvents) {
   *     events.logouts.subscribe(({ channel }) => {
   *       this.byChannel.set(channel, (this.byChannel.get(channel) ?? 0) + 1);
   *     });
   *   }
   * }
   * ```
   */
  readonly logouts: Observable<LogoutEvent>;

  constructor(private readonly bus: LogoutBus) {
    this.logouts = forAppListeners(bus.allLogoutsForApp.pipe(map(toEvent)), 'SessionEvents');
  }

  /**
   * Emits once when a logout ends this session, then completes. It does not emit when the session expires, or when it had
   * already ended before the subscription. When the session is idle (`maxIdleSeconds`), it emits some minutes later.
   *
   * @param session for example from `@CurrentSession()`
   */
  ended(session: SessionFacts): Observable<LogoutEvent> {
    const targets = targetsOf(session);
    const ending = this.bus.allLogoutsForApp.pipe(
      filter((logout) => ends(logout, session, targets)),
      take(1),
      map(toEvent),
    );
    return forAppListeners(ending, 'SessionEvents');
  }
}

function toEvent(logout: Logout): LogoutEvent {
  const { channel, author } = logout;
  return { channel, ...(author as Pick<LogoutEvent, 'by' | 'reason'>), ends: (session) => ends(logout, session) };
}
