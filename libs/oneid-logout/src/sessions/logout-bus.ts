import { idOfFact, type Logout } from '../rule/logout.js';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { defer, merge, type Observable, ReplaySubject, Subject } from 'rxjs';
import { RecentKeys } from '../recent-keys.js';

/** How many logouts to remember: a logout that arrives from this process and from the database is published once. */
const REMEMBERED = 10_000;

/**
 * Carries logouts from the code that learns of them to the code that acts on them, within this process: recorded logouts,
 * and verified ones that the inbox keeps until the store can record them.
 */
@Injectable()
export class LogoutBus implements OnModuleDestroy {
  private readonly own = new Subject<readonly Logout[]>();
  private readonly news = new Subject<Logout>();
  private readonly watching = new ReplaySubject<void>(1);
  private readonly due = new Subject<void>();
  /** Two ids of each logout. */
  private readonly known = new RecentKeys(2 * REMEMBERED);

  /** Emits when refresh tokens may wait to be revoked. */
  readonly tokensDue: Observable<unknown> = merge(this.own, this.due);

  /** The logouts that this process has recorded. */
  readonly ownLogouts: Observable<readonly Logout[]> = this.own.asObservable();

  /** The logouts of this process, also those that its inbox keeps, and of other replicas: each once. */
  readonly allLogouts: Observable<Logout> = this.news.asObservable();

  /** The same logouts, for the app's own code. A subscription makes the replica follow the logouts of other replicas. */
  readonly allLogoutsForApp: Observable<Logout> = defer(() => {
    this.watching.next();
    return this.news;
  });

  /** Emits when the app subscribes to {@link allLogoutsForApp}; a late subscriber gets the last signal too. */
  readonly appSubscribed: Observable<void> = this.watching.asObservable();

  /** Publishes logouts that this process has recorded. */
  publishOwn(logouts: readonly Logout[]): void {
    this.own.next(logouts);
    this.publishFound(logouts);
  }

  /**
   * Publishes logouts that the inbox keeps. The store may have another logout with the same id, and will then record this
   * one under the id of its fact.
   */
  publishKept(logouts: readonly Logout[]): void {
    this.publishFound(logouts.map((logout) => ({ ...logout, id: idOfFact(logout) })));
  }

  /** Publishes recorded logouts of any replica, each once, also if the inbox has kept them. */
  publishFound(logouts: readonly Logout[]): void {
    for (const logout of logouts) {
      const ids = [logout.id, idOfFact(logout)];
      if (ids.some((id) => this.known.has(id))) continue;
      for (const id of ids) this.known.add(id);
      this.news.next(logout);
    }
  }

  publishTokensDue(): void {
    this.due.next();
  }

  onModuleDestroy(): void {
    this.due.complete();
    this.own.complete();
    this.news.complete();
  }
}
