import { type LogoutChannel, type LogoutFact } from '../rule/logout.js';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { defer, filter, map, merge, type Observable, ReplaySubject, Subject, take } from 'rxjs';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';

/** A recorded logout of a session, a login or a user. It may end many sessions, or sessions unknown to this process. */
export interface LogoutEvent {
  readonly channel: LogoutChannel;
  /** @returns whether this logout ends the session */
  ends(session: SessionFacts): boolean;
}

/** @internal */
export interface PublishedLogout extends LogoutFact {
  readonly id: string;
  readonly channel: LogoutChannel;
}

/** How many logouts to remember: a logout that arrives from this process and from the database is published once. */
const REMEMBERED = 10_000;

/**
 * Tells the app of recorded logouts, so that it can clean up for a session: a cache entry, a job. Logouts of this
 * process arrive at once, logouts of other replicas as soon as this replica finds them. For sockets and streams use
 * {@link SessionConnections}, which also notices missed logouts.
 *
 * @example
 * ```ts
 * events.ended(session).subscribe(() => cache.delete(session.id));
 * ```
 */
@Injectable()
export class SessionEvents implements OnModuleDestroy {
  private readonly own = new Subject<readonly PublishedLogout[]>();
  private readonly news = new Subject<PublishedLogout>();
  private readonly watching = new ReplaySubject<void>(1);
  private readonly due = new Subject<void>();
  private readonly known = new LRUCache<string, true>({ max: REMEMBERED });

  /** @internal Emits when refresh tokens may wait to be revoked. */
  readonly tokensDue: Observable<unknown> = merge(this.own, this.due);

  /** @internal The logouts that this process has recorded. */
  readonly recorded: Observable<readonly PublishedLogout[]> = this.own.asObservable();

  /** @internal The logouts of this process and of other replicas, each once. */
  readonly published: Observable<PublishedLogout> = this.news.asObservable();

  /** @internal Emits when the app subscribes to `logouts` or `ended()`; a late subscriber gets the last signal too. */
  readonly watched: Observable<void> = this.watching.asObservable();

  private readonly followed: Observable<PublishedLogout> = defer(() => {
    this.watching.next();
    return this.news;
  });

  /**
   * Emits each recorded logout once; OneID's retries emit no second event. A logout with several targets (a login and
   * its user; each of a user's other sessions) emits one event for each target.
   */
  readonly logouts: Observable<LogoutEvent> = this.followed.pipe(map(toEvent));

  /** Emits once when a logout ends this session, then completes. */
  ended(session: SessionFacts): Observable<LogoutEvent> {
    const targets = targetsOf(session);
    return this.followed.pipe(
      filter((logout) => ends(logout, session, targets)),
      take(1),
      map(toEvent),
    );
  }

  /** @internal Publishes logouts that this process has recorded. */
  publish(logouts: readonly PublishedLogout[]): void {
    this.own.next(logouts);
    this.publishFound(logouts);
  }

  /** @internal Publishes recorded logouts of any replica, each once. */
  publishFound(logouts: readonly PublishedLogout[]): void {
    for (const logout of logouts) {
      if (this.known.has(logout.id)) continue;
      this.known.set(logout.id, true);
      this.news.next(logout);
    }
  }

  /** @internal */
  publishTokensDue(): void {
    this.due.next();
  }

  onModuleDestroy(): void {
    this.due.complete();
    this.own.complete();
    this.news.complete();
  }
}

function toEvent(logout: PublishedLogout): LogoutEvent {
  return { channel: logout.channel, ends: (session) => ends(logout, session) };
}
