import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type LogoutChannel, type SessionFacts, SessionEvents } from 'nestjs-oneid-logout';
import { filter, map, merge, type Observable, ReplaySubject } from 'rxjs';

/** How many happenings are remembered of one user: enough for a page that is opened a little late. */
const REMEMBERED = 20;

/** Of how many users, and of how many browser logins of theirs: those of whom nothing was heard for longest are forgotten. */
const MOST_USERS = 1_000;
const MOST_LOGINS = 10_000;

/** What a user did here. */
export type Deed =
  | { readonly kind: 'signed_in'; readonly device: string | undefined }
  | { readonly kind: 'session_ended'; readonly device: string | undefined }
  | { readonly kind: 'others_ended'; readonly count: number };

/** That OneID has told this app of a logout and has had its 200. */
export interface Told {
  readonly kind: 'told';
  readonly channel: 'backchannel' | 'frontchannel';
  readonly sid: string;
  /** When it began to, milliseconds. */
  readonly at: number;
  /** How long it had to wait, milliseconds. */
  readonly took: number;
}

/** That this app has ended the session of whoever is looking. */
export interface Obeyed {
  readonly kind: 'obeyed';
  readonly channel: LogoutChannel;
  readonly at: number;
}

export type Happening = (Deed & { readonly at: number }) | Told | Obeyed;

/** What happens to a user's sessions, as far as this process sees it. */
@Injectable()
export class Timeline {
  private readonly users = new LRUCache<string, ReplaySubject<Happening>>({ max: MOST_USERS });
  private readonly userOfLogin = new LRUCache<string, string>({ max: MOST_LOGINS });

  constructor(private readonly events: SessionEvents) {}

  add(user: SessionFacts, deed: Deed): void {
    this.historyOf(user).next({ ...deed, at: Date.now() });
  }

  /** Anybody can name any login over the front-channel, and have a 200: nothing is noted of one that never came here. */
  tell(issuer: string, told: Told): void {
    const user = this.userOfLogin.get(keyOf(issuer, told.sid));
    if (user !== undefined) this.users.get(user)?.next(told);
  }

  /** What happens to this session, and what its user does; what has happened lately comes first. */
  of(session: SessionFacts): Observable<Happening> {
    return merge(
      this.historyOf(session).pipe(filter((happening) => happening.kind !== 'told' || happening.sid === session.sid)),
      this.events.ended(session).pipe(map(({ channel }): Obeyed => ({ kind: 'obeyed', channel, at: Date.now() }))),
    );
  }

  private historyOf({ issuer, sub, sid }: SessionFacts): ReplaySubject<Happening> {
    const user = keyOf(issuer, sub);
    const history = this.users.get(user) ?? new ReplaySubject<Happening>(REMEMBERED);
    this.users.set(user, history);
    if (sid !== undefined) this.userOfLogin.set(keyOf(issuer, sid), user);
    return history;
  }
}

/** OneID's slash at the end of its issuer comes and goes. */
function keyOf(issuer: string, value = ''): string {
  return JSON.stringify([issuer.replace(/\/$/, ''), value]);
}
