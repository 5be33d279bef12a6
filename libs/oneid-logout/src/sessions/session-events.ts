import { type LogoutChannel, type LogoutFact } from '../rule/logout.js';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { defer, filter, map, merge, type Observable, ReplaySubject, Subject, take } from 'rxjs';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';

/** A recorded logout of a session, a login or a user. It may end many sessions, or none that this process knows. */
export interface LogoutEvent {
  readonly channel: LogoutChannel;
  /** Does this logout end that session? */
  ends(session: SessionFacts): boolean;
}

/** @internal */
export interface PublishedLogout extends LogoutFact {
  readonly id: string;
  readonly channel: LogoutChannel;
}

/** How many logouts to know again that come twice: from here, and from the database. */
const REMEMBERED = 10_000;

/**
 * Logouts as they are recorded, for whoever holds something for a session: a cache, a job. Those of this process at once,
 * those of other replicas as soon as they are found. For sockets and streams there is {@link SessionConnections}, which
 * knows also what was missed.
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

  /** @internal Refresh tokens may wait to be revoked. */
  readonly tokensDue: Observable<unknown> = merge(this.own, this.due);

  /** @internal What this process has recorded. */
  readonly recorded: Observable<readonly PublishedLogout[]> = this.own.asObservable();

  /** @internal The same, and what other replicas have recorded; nothing twice. */
  readonly published: Observable<PublishedLogout> = this.news.asObservable();

  /** @internal Somebody wants to be told. */
  readonly watched: Observable<void> = this.watching.asObservable();

  private readonly followed: Observable<PublishedLogout> = defer(() => {
    this.watching.next();
    return this.news;
  });

  /**
   * Every recorded logout, once; OneID's retries of the same one are not repeated here. One that ends several things (a
   * login and all else of its user, each other session of a user) is an event for each of them.
   */
  readonly logouts: Observable<LogoutEvent> = this.followed.pipe(map(toEvent));

  /** Emits once, when a logout ends this session, and completes. */
  ended(session: SessionFacts): Observable<LogoutEvent> {
    const targets = targetsOf(session);
    return this.followed.pipe(
      filter((logout) => ends(logout, session, targets)),
      take(1),
      map(toEvent),
    );
  }

  /** @internal This process has recorded a logout, which may take several facts. */
  publish(logouts: readonly PublishedLogout[]): void {
    this.own.next(logouts);
    this.publishFound(logouts);
  }

  /** @internal Logouts are on record, whoever has recorded them; nothing is said twice. */
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
