import { type FaultTimes } from './fault-times.js';
import { type Fault, type FaultKind, type Plan } from './plan.js';
import { type RefreshToken } from './simulated-oneid.js';

/** A sign-in, as the user and OneID know it. All times are milliseconds of the run. */
export interface SignedIn {
  readonly number: number;
  readonly sid: string;
  readonly sub: string;
  /** OneID's clock, seconds. */
  readonly iat: number;
  /** When the app began to register it. */
  readonly began: number;
  /** When the user had the session; undefined: not yet, or never. */
  registered?: { readonly at: number; readonly id: string; readonly sessionToken: string };
}

/** A logout, as the one who asked for it knows it. All times are milliseconds of the run. */
export interface AskedLogout {
  readonly what: string;
  readonly channel: 'backchannel' | 'frontchannel' | 'app' | 'admin' | 'replaced';
  readonly names: { readonly sid: string } | { readonly sub: string } | { readonly session: number } | 'everyone';
  /** Only of the back-channel: OneID's clock, seconds. */
  readonly iat?: number;
  /** From then on it may end sessions. */
  readonly began: number;
  /** When a replica said that it is recorded: from then on it must end sessions. */
  acknowledgedAt?: number;
}

/** The answer of a replica to a request of a session. */
export interface RequestAnswer {
  readonly session: number;
  readonly replica: number;
  readonly arrivedAt: number;
  readonly answeredAt: number;
  readonly said: string;
}

/** How long after a fault the library may still refuse for lack of an answer, milliseconds. */
export const RECOVERY = 10_000;

/** The pause between the two requests to revoke a refresh token, milliseconds; a timer may fire a little early. */
const CONFIRMED_AFTER = 59_000;

/** After so long, the tokens of a session that only the front-channel has ended are erased, milliseconds. */
const KEPT_AFTER_FRONTCHANNEL = 3_590_000;

/** How old a sign-in must be to count as a sibling for sure when a replica asks OneID to revoke, milliseconds. */
const SIBLING_KNOWN_AFTER = 15_000;

/** The faults for which a request may get 503: its replica or its database was in trouble. */
const TROUBLES: ReadonlySet<FaultKind> = new Set([
  ...(['cut', 'databaseDown', 'slow', 'earlySnapshots', 'lostAnswers', 'failover', 'stall', 'suspend'] as const),
]);

/**
 * With fewer connections, logouts whose commits hang may hold all of them: four at the same time. The default is ten.
 */
const ENOUGH_CONNECTIONS = 6;

/** The faults for which a write may fail, too. */
const WRITE_TROUBLES: ReadonlySet<FaultKind> = new Set([...TROUBLES, 'lateCommits', 'keysGone']);

/**
 * Knows what every answer must be, from what the users, the administrators and OneID have done and were told. It never
 * looks into the library.
 */
export class Judge {
  readonly violations: string[] = [];
  private readonly sessions = new Map<number, SignedIn>();
  private readonly logouts: AskedLogout[] = [];
  /** The refresh tokens that an app has handed to the library, by session: the last one counts. */
  private readonly handed = new Map<number, RefreshToken>();
  /** All refresh tokens of a session: a call that has failed may have stored its token all the same. */
  private readonly made = new Map<number, RefreshToken[]>();
  private readonly erased = new Set<number>();

  constructor(
    private readonly plan: Plan,
    private readonly faults: FaultTimes,
  ) {}

  get allSessions(): Iterable<SignedIn> {
    return this.sessions.values();
  }

  noteSignIn(session: SignedIn): void {
    this.sessions.set(session.number, session);
  }

  noteLogout(logout: AskedLogout): void {
    this.logouts.push(logout);
  }

  noteMade(token: RefreshToken): void {
    this.made.set(token.session, [...(this.made.get(token.session) ?? []), token]);
  }

  noteHanded(session: number, token: RefreshToken): void {
    this.handed.set(session, token);
  }

  /** A sign-in was refused, because its session has ended. */
  refusedSignIn(session: SignedIn, at: number): void {
    if (!this.mayBeEnded(session, at))
      this.violate(at, `the sign-in of session ${session.number} was refused as ended, but no logout matches it`);
  }

  /** A call that writes has failed for lack of an answer of the store, or of OneID's keys. */
  failedWrite(what: string, replica: number, from: number, at: number): void {
    if (this.excuse(WRITE_TROUBLES, replica, from, at) === undefined)
      this.violate(at, `${what} got 503 from replica ${replica}, and no fault allows it`);
  }

  /** An error that no fault explains. */
  unexpected(what: string, at: number, error: unknown): void {
    this.violate(at, `${what} failed: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
  }

  answered(answer: RequestAnswer): void {
    const { said, answeredAt, replica, arrivedAt } = answer;
    const session = this.sessions.get(answer.session);
    if (session === undefined) return;
    const where = `session ${session.number} on replica ${replica}, arrived at ${shown(arrivedAt)}`;
    if (said === 'alive') {
      const ended = this.logouts.find((logout) => this.mustRefuse(logout, session, arrivedAt, replica));
      if (ended !== undefined)
        this.violate(
          answeredAt,
          `let in: ${where}, after ${ended.what} was acknowledged at ${shown(ended.acknowledgedAt)}`,
        );
    } else if (said === 'unavailable') {
      const troubles = this.plan.poolSize < ENOUGH_CONNECTIONS ? WRITE_TROUBLES : TROUBLES;
      if (this.excuse(troubles, replica, arrivedAt, answeredAt) === undefined)
        this.violate(answeredAt, `503 without a fault: ${where}`);
    } else if (said !== 'logged_out' || !this.mayBeEnded(session, answeredAt)) {
      this.violate(answeredAt, `refused (${said}), but no logout matches: ${where}`);
    }
  }

  /** A replica asks OneID to revoke a refresh token. */
  revoked({ session: number }: RefreshToken, at: number): void {
    const session = this.sessions.get(number);
    if (session === undefined) return;
    // the front-channel is unsigned (FC-4)
    if (!this.logouts.some((one) => one.channel !== 'frontchannel' && one.began <= at && this.mayEnd(one, session))) {
      this.violate(
        at,
        `a replica revoked the refresh token of session ${number}, which nothing but the front-channel has ended`,
      );
    }
    for (const sibling of this.siblingsOf(session)) {
      if (
        sibling.registered !== undefined &&
        sibling.registered.at < at - SIBLING_KNOWN_AFTER &&
        !this.mayBeEnded(sibling, at)
      )
        this.violate(
          at,
          `P27: a replica revoked the refresh token of session ${number}, but session ${sibling.number} lives`,
        );
    }
  }

  /** @param stored the ids of the sessions whose tokens the database still holds */
  tokensErased(stored: ReadonlySet<string>, at: number): void {
    for (const session of this.sessions.values()) {
      const { number, registered } = session;
      if (registered === undefined || !this.handed.has(number) || stored.has(registered.id) || this.erased.has(number))
        continue;
      this.erased.add(number);
      if (!this.mayErase(session, at))
        this.violate(
          at,
          `P24: the tokens of session ${number} were erased before OneID had said twice that they are revoked`,
        );
    }
  }

  /** What must hold at the end, long after the last fault. */
  end(at: number): void {
    if (this.plan.profile !== 'tokens') return;
    for (const [number, token] of this.handed) {
      const session = this.sessions.get(number);
      // OneID's word counts, when it has said twice that the token is revoked
      if (session === undefined || !token.isActive || this.isConfirmed(token)) continue;
      const logout = this.logouts.find(
        (one) => one.channel !== 'frontchannel' && one.acknowledgedAt !== undefined && this.mustEnd(one, session),
      );
      const waits = [...this.siblingsOf(session)].some((sibling) => !this.isEnded(sibling));
      if (logout !== undefined && !waits)
        this.violate(at, `the refresh token of session ${number} is still active, which ${logout.what} has ended`);
    }
  }

  /** Has a logout ended the session for sure? */
  isEnded(session: SignedIn): boolean {
    return this.logouts.some((logout) => logout.acknowledgedAt !== undefined && this.mustEnd(logout, session));
  }

  private mayErase(session: SignedIn, at: number): boolean {
    if (this.made.get(session.number)?.some((token) => this.isConfirmed(token))) return true;
    return this.logouts.some(
      (logout) =>
        logout.channel === 'frontchannel' &&
        this.mayEnd(logout, session) &&
        (this.databaseClockMoved || at - logout.began >= KEPT_AFTER_FRONTCHANNEL),
    );
  }

  /** Has OneID said twice, with a pause by the database's clock, that the token is revoked? */
  private isConfirmed({ answers }: RefreshToken): boolean {
    const said = answers.filter(({ status }) => status === 200).map(({ at }) => at);
    const [first = Infinity] = said;
    return said.length > 1 && (this.databaseClockMoved || Math.max(...said) - first >= CONFIRMED_AFTER);
  }

  private get databaseClockMoved(): boolean {
    return this.faults.of('databaseClock').length + this.faults.of('failover').length > 0;
  }

  private *siblingsOf({ number, sid }: SignedIn): Iterable<SignedIn> {
    for (const other of this.sessions.values()) if (other.sid === sid && other.number !== number) yield other;
  }

  private mayBeEnded(session: SignedIn, at: number): boolean {
    return this.logouts.some((logout) => logout.began <= at && this.mayEnd(logout, session));
  }

  /** Could the logout end the session, in some order of the statements? */
  private mayEnd(logout: AskedLogout, session: SignedIn): boolean {
    if (!this.namesSession(logout, session)) return false;
    if (logout.channel === 'backchannel') {
      return isOfSid(logout, session) || session.iat <= (logout.iat ?? 0);
    }
    if (isOfSession(logout, session)) return true;
    // a call that was not acknowledged may be committed later
    return session.began <= (logout.acknowledgedAt ?? Infinity);
  }

  /** Must the logout end the session, once it is acknowledged? */
  private mustEnd(logout: AskedLogout, session: SignedIn): boolean {
    if (!this.namesSession(logout, session)) return false;
    if (isOfSid(logout, session) && logout.channel === 'backchannel') return true;
    const { registered } = session;
    if (registered === undefined || registered.at >= logout.began) return false;
    if (logout.channel !== 'backchannel' || isOfSession(logout, session)) return true;
    if (typeof logout.names === 'object' && 'sub' in logout.names) return session.iat <= (logout.iat ?? 0);
    // in the scope "user", a sign-in must have connected the sid with the user before
    return session.iat <= (logout.iat ?? 0) && this.knowsUserOf(logout);
  }

  private knowsUserOf({ names, began }: AskedLogout): boolean {
    return [...this.sessions.values()].some(
      ({ sid, registered }) =>
        names !== 'everyone' && 'sid' in names && names.sid === sid && (registered?.at ?? Infinity) < began,
    );
  }

  private namesSession({ names, channel }: AskedLogout, session: SignedIn): boolean {
    if (names === 'everyone') return true;
    if ('session' in names) return names.session === session.number;
    if ('sub' in names) return names.sub === session.sub;
    if (names.sid === session.sid) return true;
    if (this.plan.logoutScope !== 'user' || channel !== 'backchannel') return false;
    return [...this.sessions.values()].some(({ sid, sub }) => sid === names.sid && sub === session.sub);
  }

  /** Must a replica refuse a request of the session that arrives at this time? */
  private mustRefuse(logout: AskedLogout, session: SignedIn, arrivedAt: number, replica: number): boolean {
    const { acknowledgedAt, channel } = logout;
    if (acknowledgedAt === undefined || !this.mustEnd(logout, session)) return false;
    // OneID's 200 waits for every replica; the other logouts reach the other replicas a little later
    const { bounded } = this.plan.replicas[replica] ?? {};
    const late =
      channel === 'backchannel' || bounded === undefined ? 0 : bounded.maxStalenessMs + bounded.allowDuringOutageMs;
    return arrivedAt >= acknowledgedAt + late;
  }

  private excuse(kinds: ReadonlySet<FaultKind>, replica: number, from: number, to: number): Fault | undefined {
    return this.faults
      .between(from - RECOVERY, to)
      .find((fault) => kinds.has(fault.kind) && (!('replica' in fault) || fault.replica === replica));
  }

  private violate(at: number, what: string): void {
    this.violations.push(`${shown(at)} ${what}`);
  }
}

function isOfSid({ names }: AskedLogout, { sid }: SignedIn): boolean {
  return names !== 'everyone' && 'sid' in names && names.sid === sid;
}

function isOfSession({ names }: AskedLogout, { number }: SignedIn): boolean {
  return names !== 'everyone' && 'session' in names && names.session === number;
}

/** A time of the run, for people. */
export function shown(milliseconds: number | undefined): string {
  return milliseconds === undefined ? 'never' : `${(milliseconds / 1000).toFixed(3)} s`;
}
