/**
 * An HTTP status, or `no answer` when the connection was refused or broke. A 401 with one of {@link otherEnds} as its
 * reason is this reason.
 */
export type Status = number | 'no answer' | OtherEnd;

/** Reasons of a 401 for which a session is over without a logout. */
export const otherEnds = ['idle', 'unconfirmed'] as const;

export type OtherEnd = (typeof otherEnds)[number];

/** A sign-in that a replica has registered. Times as in {@link RecordedRequest}. */
export interface RecordedSignIn {
  readonly session: string;
  readonly sent: number;
  readonly answered: number;
}

/** A request to a guarded page. Times are in milliseconds, on the monotonic clock of the test process. */
export interface RecordedRequest {
  readonly replica: number;
  readonly session: string;
  /** When the client sent it. It arrived at this time or later. */
  readonly sent: number;
  readonly answered: number;
  readonly status: Status;
}

/** One attempt of OneID to deliver a logout. Times as in {@link RecordedRequest}. */
export interface Delivery {
  readonly session: string;
  readonly sent: number;
  readonly answered: number;
  readonly status: Status;
}

/** A fault that a test causes at some replicas, and its permitted effects. Times as in {@link RecordedRequest}. */
export interface Trouble {
  readonly what: string;
  readonly replicas: readonly number[];
  /** These replicas may also answer with this status during the trouble. */
  readonly permits?: Status;
  /** For this long after its end, milliseconds, they may still answer with that status. */
  readonly recoveryMs: number;
  /** No replica can record logouts for so long that the sessions of before its end are over, as `unconfirmed`. */
  readonly endsSessions?: boolean;
  readonly began: number;
  ended: number;
}

/**
 * An end of sessions that the app has caused itself: of everyone, of a user who is erased, or of the oldest session by
 * `maxSessionsPerUser`. Times as in {@link RecordedRequest}.
 */
export interface OwnEnd {
  readonly what: string;
  /** Undefined: the sessions of everyone. */
  readonly sessions?: ReadonlySet<string>;
  readonly sent: number;
  readonly answered: number;
  /** For so long after the answer, milliseconds, other replicas may let these sessions in: only OneID's 200 waits. */
  readonly withinMs: number;
}

export interface Violations {
  /**
   * Requests that a replica let in although OneID had already got its 200 for the logout of their session, although an
   * outage or the app itself had ended their session, or although their session had to be idle.
   */
  readonly letIn: string[];
  /**
   * Logouts that OneID got a 200 for but that had no effect, and logouts that a replica told OneID not to send again.
   */
  readonly lost: string[];
  /**
   * Requests that a replica refused before their session was logged out or had been unused for long enough, and failures
   * that no trouble permits.
   */
  readonly refused: string[];
  /** Replicas that needed more than `recoveryMs` to let an alive session in again. */
  readonly late: string[];
}

export const noViolations: Violations = { letIn: [], lost: [], refused: [], late: [] };

/** Everything that clients and OneID saw of the replicas. It finds the answers that break a promise of the library. */
export class History {
  readonly requests: RecordedRequest[] = [];
  readonly deliveries: Delivery[] = [];
  readonly signIns: RecordedSignIn[] = [];
  readonly troubles: Trouble[] = [];
  readonly ownEnds: OwnEnd[] = [];
  /** Sessions whose logout is in the database at the end of the test. */
  recorded: ReadonlySet<string> = new Set();

  /** @param maxIdleMs how long a session may be unused; undefined: for ever */
  constructor(private readonly maxIdleMs?: number) {}

  violations(): Violations {
    return {
      letIn: [...this.letIn(), ...this.letInAfterOutage(), ...this.letInAfterOwnEnd(), ...this.letInWhenIdle()],
      lost: this.lost(),
      refused: [...this.refused(), ...this.idleTooEarly()],
      late: this.late(),
    };
  }

  /** For each session with a logout: when OneID got its first 200. */
  acknowledged(): Map<string, number> {
    return earliest(this.deliveries.filter(({ status }) => status === 200).map((one) => [one.session, one.answered]));
  }

  /** When this replica first let an alive session in after the given time, or undefined. */
  firstLetInAfter(replica: number, moment: number): number | undefined {
    return this.requests
      .filter((request) => request.replica === replica && request.sent >= moment && request.status === 200)
      .reduce<number | undefined>((first, { answered }) => Math.min(first ?? Infinity, answered), undefined);
  }

  private letIn(): string[] {
    const acknowledged = this.acknowledged();
    return this.requests.flatMap((request) => {
      const since = request.sent - (acknowledged.get(request.session) ?? Infinity);
      if (request.status !== 200 || since <= 0) return [];
      return `${this.name(request)} let in ${since.toFixed(0)} ms after OneID had its 200`;
    });
  }

  private letInAfterOutage(): string[] {
    return this.outages.flatMap(({ what, began, ended }) => {
      const before = new Set(this.signIns.filter(({ answered }) => answered < began).map(({ session }) => session));
      return this.requests
        .filter(({ session, status, sent }) => status === 200 && sent >= ended && before.has(session))
        .map((request) => `${this.name(request)} let in ${(request.sent - ended).toFixed(0)} ms after: ${what}`);
    });
  }

  private letInAfterOwnEnd(): string[] {
    return this.ownEnds.flatMap(({ what, sessions, sent, answered, withinMs }) => {
      const before = new Set(this.signIns.filter((one) => one.answered < sent).map(({ session }) => session));
      return this.requests
        .filter(
          ({ session, status, sent: asked }) =>
            status === 200 && asked > answered + withinMs && (sessions?.has(session) ?? before.has(session)),
        )
        .map((request) => `${this.name(request)} let in ${(request.sent - answered).toFixed(0)} ms after: ${what}`);
    });
  }

  private letInWhenIdle(): string[] {
    const { maxIdleMs } = this;
    if (maxIdleMs === undefined) return [];
    return this.bySession().flatMap(({ signIn, requests }) => {
      const idleAt = Math.min(...requests.filter(({ status }) => status === 'idle').map(({ answered }) => answered));
      return requests
        .filter(({ status }) => status === 200)
        .flatMap((request) => {
          if (request.sent > idleAt)
            return `${this.name(request)} let in ${(request.sent - idleAt).toFixed(0)} ms after it was idle`;
          const uses = requests.filter((one) => one !== request && one.status === 200 && one.sent <= request.sent);
          const unused = request.sent - Math.max(signIn.answered, ...uses.map(({ answered }) => answered));
          return unused <= maxIdleMs ? [] : `${this.name(request)} let in, unused for ${unused.toFixed(0)} ms`;
        });
    });
  }

  /** A session may end up to two twentieths of the time early. */
  private idleTooEarly(): string[] {
    const least = (this.maxIdleMs ?? 0) * 0.9;
    return this.bySession().flatMap(({ signIn, requests }) =>
      requests
        .filter(({ status }) => status === 'idle')
        .flatMap((request) => {
          const uses = requests.filter((one) => one.status === 200 && one.answered <= request.sent);
          const unused = request.answered - Math.max(signIn.sent, ...uses.map(({ sent }) => sent));
          return unused >= least ? [] : `${this.name(request)} idle, unused for ${unused.toFixed(0)} ms`;
        }),
    );
  }

  /** The requests of each session whose sign-in is known. */
  private bySession(): { readonly signIn: RecordedSignIn; readonly requests: readonly RecordedRequest[] }[] {
    const requests = new Map<string, RecordedRequest[]>();
    for (const request of this.requests) {
      const known = requests.get(request.session);
      if (known === undefined) requests.set(request.session, [request]);
      else known.push(request);
    }
    return this.signIns.map((signIn) => ({ signIn, requests: requests.get(signIn.session) ?? [] }));
  }

  private lost(): string[] {
    const found = this.deliveries
      .filter(({ status }) => typeof status === 'number' && status !== 200 && status < 500)
      .map(
        ({ session, status }) => `the logout of ${short(session)} was answered ${status}: OneID won't send it again`,
      );
    for (const [session, since] of this.acknowledged()) {
      if (!this.recorded.has(session)) found.push(`the logout of ${short(session)} is not in the database`);
      const last = this.requests.findLast((request) => request.session === session && request.sent > since);
      if (last === undefined) found.push(`no request for ${short(session)} after its logout`);
      else if (last.status !== 401) found.push(`${this.name(last)} the last answer was ${last.status}`);
    }
    return found;
  }

  private refused(): string[] {
    const told = earliest(this.deliveries.map((delivery) => [delivery.session, delivery.sent]));
    return this.requests
      .filter((request) => {
        if (request.status === 200) return false;
        if (request.status === 401) {
          return (told.get(request.session) ?? Infinity) >= request.answered && !this.mayHaveEnded(request);
        }
        if (request.status === 'idle' && this.maxIdleMs !== undefined) return false;
        if (request.status === 'unconfirmed') return !this.mayBeUnconfirmed(request);
        return !this.troubles.some((trouble) => permits(trouble, request));
      })
      .map((request) => `${this.name(request)} answered ${request.status}`);
  }

  /** Has an outage begun before the answer, and did the session's sign-in begin before its end? */
  private mayBeUnconfirmed({ session, answered }: RecordedRequest): boolean {
    const signIn = this.signIns.find((one) => one.session === session);
    return this.outages.some(({ began, ended }) => began <= answered && (signIn?.sent ?? 0) < ended);
  }

  /** Has the app itself begun to end the session before the answer, and did the sign-in begin before this end? */
  private mayHaveEnded({ session, answered }: RecordedRequest): boolean {
    const signIn = this.signIns.find((one) => one.session === session);
    return this.ownEnds.some(
      (end) =>
        end.sent <= answered && (end.sessions?.has(session) ?? (signIn !== undefined && signIn.sent < end.answered)),
    );
  }

  private get outages(): readonly Trouble[] {
    return this.troubles.filter(({ endsSessions = false }) => endsSessions);
  }

  private late(): string[] {
    return this.troubles.flatMap(({ what, replicas, ended, recoveryMs }) =>
      replicas.flatMap((replica) => {
        const took = (this.firstLetInAfter(replica, ended) ?? Infinity) - ended;
        return took <= recoveryMs ? [] : `replica ${replica} took ${took.toFixed(0)} ms to recover from: ${what}`;
      }),
    );
  }

  private name({ replica, session, sent, answered }: RecordedRequest): string {
    const during = this.troubles
      .filter(({ began, ended }) => began <= answered && sent <= ended)
      .map(({ what }) => what);
    return `replica ${replica}, session ${short(session)}${during.length > 0 ? `, during "${during.join('" and "')}"` : ''}:`;
  }
}

function permits(trouble: Trouble, { replica, status, sent, answered }: RecordedRequest): boolean {
  if (status !== trouble.permits || !trouble.replicas.includes(replica)) return false;
  return answered >= trouble.began && sent <= trouble.ended + trouble.recoveryMs;
}

function earliest(times: readonly (readonly [string, number])[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const [session, time] of times) found.set(session, Math.min(found.get(session) ?? Infinity, time));
  return found;
}

const short = (session: string): string => session.slice(0, 8);
