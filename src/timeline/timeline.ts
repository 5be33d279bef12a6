import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type LogoutChannel, type SessionFacts, SessionEvents } from 'nestjs-oneid-logout';
import { filter, map, merge, type Observable, ReplaySubject } from 'rxjs';
import { watch } from './watch.js';

/** Number of happenings that are kept for one user: enough for a page that the user opens a little later. */
const REMEMBERED = 20;

/** Maximum numbers of users and of browser logins to keep. Above them, the least recently used ones are dropped. */
const MOST_USERS = 1_000;
const MOST_LOGINS = 10_000;

/** An action of the user in this app. */
export type Deed =
  | { readonly kind: 'signed_in'; readonly device: string | undefined }
  | { readonly kind: 'session_ended'; readonly device: string | undefined }
  | { readonly kind: 'others_ended'; readonly count: number };

/** OneID has told this app of a logout, and has got its 200. */
export interface Told {
  readonly kind: 'told';
  readonly channel: 'backchannel' | 'frontchannel';
  readonly sid: string;
  /** When the request arrived, in milliseconds since 1970. */
  readonly at: number;
  /** How long OneID waited for the 200, in milliseconds. */
  readonly took: number;
}

/** This app has ended the session of the user who watches the timeline. */
export interface Obeyed {
  readonly kind: 'obeyed';
  readonly channel: LogoutChannel;
  readonly at: number;
}

export type Happening = (Deed & { readonly at: number }) | Told | Obeyed;

/** The happenings in a user's sessions, as far as this process sees them. It only watches: adding an entry never throws. */
@Injectable()
export class Timeline {
  private readonly users = new LRUCache<string, ReplaySubject<Happening>>({ max: MOST_USERS });
  private readonly userOfLogin = new LRUCache<string, string>({ max: MOST_LOGINS });

  constructor(private readonly events: SessionEvents) {}

  add(user: SessionFacts, deed: Deed): void {
    watch(() => this.historyOf(user).next({ ...deed, at: Date.now() }));
  }

  /** Ignores a login that is unknown here: over the front-channel, an attacker can name any login and gets a 200. */
  tell(issuer: string, told: Told): void {
    watch(() => {
      const user = this.userOfLogin.get(keyOf(issuer, told.sid));
      if (user !== undefined) this.users.get(user)?.next(told);
    });
  }

  /** The happenings of this session and the actions of its user. The stream begins with the recent ones. */
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

/** Ignores a slash at the end of the issuer: some OneID versions have it, others do not. */
function keyOf(issuer: string, value = ''): string {
  return JSON.stringify([issuer.replace(/\/$/, ''), value]);
}
