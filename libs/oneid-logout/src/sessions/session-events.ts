import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { filter, merge, type Observable, Subject, take } from 'rxjs';
import { ends, type LogoutChannel, type LogoutFact } from './rule.js';
import { type SessionFacts } from './session.js';

/** A logout that has just been recorded. One event may end many sessions, or none that this process knows. */
export interface LogoutEvent {
  readonly channel: LogoutChannel;
  /** Does this logout end that session? */
  ends(session: SessionFacts): boolean;
}

/**
 * Logouts as they are recorded by this process, for whoever holds something open for a session: a socket, a stream, a
 * cache.
 *
 * @example
 * ```ts
 * events.ended(session).subscribe(() => socket.close());
 * ```
 */
@Injectable()
export class SessionEvents implements OnModuleDestroy {
  private readonly subject = new Subject<LogoutEvent>();
  private readonly due = new Subject<void>();

  /** @internal Refresh tokens may wait to be revoked. */
  readonly tokensDue: Observable<unknown> = merge(this.subject, this.due);

  /** Every recorded logout, once; OneID's retries of the same one are not repeated here. */
  readonly logouts: Observable<LogoutEvent> = this.subject.asObservable();

  /** Emits once, when a logout ends this session, and completes. */
  ended(session: SessionFacts): Observable<LogoutEvent> {
    return this.logouts.pipe(
      filter((event) => event.ends(session)),
      take(1),
    );
  }

  /** @internal */
  publish(channel: LogoutChannel, logouts: readonly LogoutFact[]): void {
    this.subject.next({ channel, ends: (session) => logouts.some((logout) => ends(logout, session)) });
  }

  /** @internal */
  publishTokensDue(): void {
    this.due.next();
  }

  onModuleDestroy(): void {
    this.due.complete();
    this.subject.complete();
  }
}
