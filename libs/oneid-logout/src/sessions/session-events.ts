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
 */
export interface LogoutEvent {
  readonly channel: LogoutChannel;
  /** @returns whether this logout ends the session */
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
 * @example
 * ```ts
 * events.ended(session).subscribe(() => cache.delete(session.id));
 * ```
 */
@Injectable()
export class SessionEvents {
  /**
   * Emits each logout once; OneID's retries, and the recording of a logout that the store could not record at first,
   * emit no second event. A logout with several targets (a login and its user; each of a user's other sessions) emits
   * one event for each target.
   */
  readonly logouts: Observable<LogoutEvent>;

  constructor(private readonly bus: LogoutBus) {
    this.logouts = forAppListeners(bus.allLogoutsForApp.pipe(map(toEvent)), 'SessionEvents');
  }

  /** Emits once when a logout ends this session, then completes. */
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
  return { channel: logout.channel, ends: (session) => ends(logout, session) };
}
