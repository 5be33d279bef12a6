import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { filter, merge, type Observable, Subject, take } from 'rxjs';
import { ends, type LogoutChannel, type LogoutFact } from './rule.js';
import { type SessionFacts } from './session.js';

/** Logouts that have been recorded. One event may end many sessions, or none that this process knows. */
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
 * Logouts as they are recorded, for whoever holds something open for a session: a socket, a stream, a cache. Those of
 * this process at once; with the option `liveness` those of all replicas, as soon as they are found.
 *
 * @example
 * ```ts
 * events.ended(session).subscribe(() => socket.close());
 * ```
 */
@Injectable()
export class SessionEvents implements OnModuleDestroy {
  private readonly own = new Subject<readonly PublishedLogout[]>();
  private readonly all = new Subject<LogoutEvent>();
  private readonly due = new Subject<void>();
  private readonly known = new LRUCache<string, true>({ max: REMEMBERED });

  /** @internal Refresh tokens may wait to be revoked. */
  readonly tokensDue: Observable<unknown> = merge(this.own, this.due);

  /** @internal What this process has recorded. */
  readonly recorded: Observable<readonly PublishedLogout[]> = this.own.asObservable();

  /** Every recorded logout, once; OneID's retries of the same one are not repeated here. */
  readonly logouts: Observable<LogoutEvent> = this.all.asObservable();

  /** Emits once, when a logout ends this session, and completes. */
  ended(session: SessionFacts): Observable<LogoutEvent> {
    return this.logouts.pipe(
      filter((event) => event.ends(session)),
      take(1),
    );
  }

  /** @internal This process has recorded a logout, which may take several facts. */
  publish(logouts: readonly PublishedLogout[]): void {
    this.own.next(logouts);
    this.publishFound(logouts);
  }

  /** @internal A logout is on record, whoever has recorded it; nothing is said twice. */
  publishFound(logouts: readonly PublishedLogout[]): void {
    const news = logouts.filter(({ id }) => !this.known.has(id));
    for (const { id } of news) this.known.set(id, true);
    const [first] = news;
    if (first === undefined) return;
    this.all.next({ channel: first.channel, ends: (session) => news.some((logout) => ends(logout, session)) });
  }

  /** @internal */
  publishTokensDue(): void {
    this.due.next();
  }

  onModuleDestroy(): void {
    this.due.complete();
    this.own.complete();
    this.all.complete();
  }
}
