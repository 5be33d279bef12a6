/** An HTTP status; or the connection was refused, or broke. */
export type Status = number | 'no answer';

/** A request to a guarded page. Times are milliseconds on the monotonic clock of the test process. */
export interface RecordedRequest {
  readonly replica: number;
  readonly session: string;
  /** When it was sent, which is no later than when it arrived. */
  readonly sent: number;
  readonly answered: number;
  readonly status: Status;
}

/** One attempt of OneID's to tell of a logout. */
export interface Delivery {
  readonly session: string;
  readonly sent: number;
  readonly answered: number;
  readonly status: Status;
}

/** Something that happened to replicas, and what may be seen of it. */
export interface Trouble {
  readonly what: string;
  readonly replicas: readonly number[];
  /** How they may answer meanwhile, beside as always. */
  readonly permits?: Status;
  /** How long after its end they may still answer so, milliseconds. */
  readonly within: number;
  readonly began: number;
  ended: number;
}

export interface Violations {
  /** Requests that arrived after OneID had its 200 for their session, and were let in. */
  readonly letIn: string[];
  /** Logouts that OneID was told are taken and are not, or that it was told never to send again. */
  readonly lost: string[];
  /** Requests that were refused although nobody had logged their session out, or failed without a trouble. */
  readonly refused: string[];
  /** Replicas that took longer than a trouble allows to let a living session in again. */
  readonly late: string[];
}

export const noViolations: Violations = { letIn: [], lost: [], refused: [], late: [] };

/** What clients and OneID saw of some replicas, and whether that is what the library promises. */
export class History {
  readonly requests: RecordedRequest[] = [];
  readonly deliveries: Delivery[] = [];
  readonly troubles: Trouble[] = [];
  /** Sessions whose logout is in the database in the end. */
  recorded: ReadonlySet<string> = new Set();

  violations(): Violations {
    return { letIn: this.letIn(), lost: this.lost(), refused: this.refused(), late: this.late() };
  }

  /** When OneID had its first 200 for each session that was logged out. */
  acknowledged(): Map<string, number> {
    return earliest(this.deliveries.filter(({ status }) => status === 200).map((one) => [one.session, one.answered]));
  }

  /** When this replica let a living session in for the first time after a moment; undefined when it has not. */
  letsInAfter(replica: number, moment: number): number | undefined {
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

  private lost(): string[] {
    const found = this.deliveries
      .filter(({ status }) => typeof status === 'number' && status !== 200 && status < 500)
      .map(
        ({ session, status }) => `the logout of ${short(session)} was answered ${status}: OneID won't send it again`,
      );
    for (const [session, since] of this.acknowledged()) {
      if (!this.recorded.has(session)) found.push(`the logout of ${short(session)} is not in the database`);
      const last = this.requests.findLast((request) => request.session === session && request.sent > since);
      if (last === undefined) found.push(`nobody asked for ${short(session)} after its logout`);
      else if (last.status !== 401) found.push(`${this.name(last)} still answered ${last.status} in the end`);
    }
    return found;
  }

  private refused(): string[] {
    const told = earliest(this.deliveries.map((delivery) => [delivery.session, delivery.sent]));
    return this.requests
      .filter((request) => {
        if (request.status === 200) return false;
        if (request.status === 401) return (told.get(request.session) ?? Infinity) >= request.answered;
        return !this.troubles.some((trouble) => permits(trouble, request));
      })
      .map((request) => `${this.name(request)} answered ${request.status}`);
  }

  private late(): string[] {
    return this.troubles.flatMap(({ what, replicas, ended, within }) =>
      replicas.flatMap((replica) => {
        const took = (this.letsInAfter(replica, ended) ?? Infinity) - ended;
        return took <= within ? [] : `replica ${replica} took ${took.toFixed(0)} ms to recover from: ${what}`;
      }),
    );
  }

  private name({ replica, session, sent, answered }: RecordedRequest): string {
    const amid = this.troubles.filter(({ began, ended }) => began <= answered && sent <= ended).map(({ what }) => what);
    return `replica ${replica}, session ${short(session)}${amid.length > 0 ? `, amid "${amid.join('" and "')}"` : ''}:`;
  }
}

function permits(trouble: Trouble, { replica, status, sent, answered }: RecordedRequest): boolean {
  if (status !== trouble.permits || !trouble.replicas.includes(replica)) return false;
  return answered >= trouble.began && sent <= trouble.ended + trouble.within;
}

function earliest(times: readonly (readonly [string, number])[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const [session, time] of times) found.set(session, Math.min(found.get(session) ?? Infinity, time));
  return found;
}

const short = (session: string): string => session.slice(0, 8);
