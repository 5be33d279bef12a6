import { Injectable } from '@nestjs/common';
import { type LogoutChannel, type SessionFacts, SessionEvents } from 'nestjs-oneid-logout';
import { filter, map, merge, type Observable, ReplaySubject } from 'rxjs';

/** How many are remembered, whoever they are of: enough for a page that is opened a little late. */
const REMEMBERED = 100;

/** What a user did here. */
export type Deed =
  | { readonly kind: 'signed_in'; readonly device: string | undefined }
  | { readonly kind: 'session_ended'; readonly device: string | undefined }
  | { readonly kind: 'others_ended'; readonly count: number };

/** That OneID has told this app of a logout and has had its 200. */
export interface Told {
  readonly kind: 'told';
  readonly channel: 'backchannel' | 'frontchannel';
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

interface Kept {
  /** The user or the browser login that it is of. */
  readonly of: string;
  readonly happening: Happening;
}

/** What happens to a user's sessions, as far as this process sees it. */
@Injectable()
export class Timeline {
  private readonly kept = new ReplaySubject<Kept>(REMEMBERED);

  constructor(private readonly events: SessionEvents) {}

  add(user: SessionFacts, deed: Deed): void {
    this.kept.next({ of: keyOf('sub', user.issuer, user.sub), happening: { ...deed, at: Date.now() } });
  }

  tell(issuer: string, sid: string, told: Told): void {
    this.kept.next({ of: keyOf('sid', issuer, sid), happening: told });
  }

  /** What happens to this session, and to its user's others; what has happened lately comes first. */
  of(session: SessionFacts): Observable<Happening> {
    const { issuer, sub, sid } = session;
    const mine = [keyOf('sub', issuer, sub), keyOf('sid', issuer, sid)];
    return merge(
      this.kept.pipe(
        filter((kept) => mine.includes(kept.of)),
        map(({ happening }) => happening),
      ),
      this.events.ended(session).pipe(map(({ channel }): Obeyed => ({ kind: 'obeyed', channel, at: Date.now() }))),
    );
  }
}

/** OneID's slash at the end of its issuer comes and goes. */
function keyOf(kind: string, issuer: string, value = ''): string {
  return JSON.stringify([kind, issuer.replace(/\/$/, ''), value]);
}
