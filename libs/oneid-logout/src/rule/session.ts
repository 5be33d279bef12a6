import { type LogoutChannel } from './logout.js';
import { everyoneTargetsOf, type OwnTargetKind, targetOf } from './targets.js';

/**
 * The facts of a session, or of the verified token that a request carries. They never change.
 *
 * @category Sessions
 */
export interface SessionFacts {
  /**
   * Our id of the session: the SHA-256 of its first session token. It opens no session, so a page may show it. Absent
   * when the request carried a verified token instead.
   */
  readonly id?: string;
  /** `iss` of the ID token. */
  readonly issuer: string;
  /**
   * The client that the user signed in to: one of the option `clients`. For a verified token, the first one that it names
   * in `client_id`, `azp` or `aud`, in this order; absent when it names none.
   */
  readonly clientId?: string;
  /** The provider's id for one browser login. All clients in this login get the same `sid`. */
  readonly sid?: string;
  /** The user's id at the provider. Only a verified token may lack it. */
  readonly sub?: string;
  /** The token's `iat`: the provider's clock, seconds. */
  readonly iat: number;
  /**
   * When the user authenticated, by the ID token's `auth_time`: the provider's clock, seconds. Absent when the claim is
   * missing or proves nothing, and for a verified token.
   */
  readonly authTime?: number;
  /** When we recorded the sign-in: the database's clock, milliseconds. For a verified token: `iat` × 1000. */
  readonly registeredAt: number;
  /** Absolute end of the session, milliseconds: the database's clock. For a verified token: the provider's clock. */
  readonly expiresAt?: number;
}

/**
 * A sign-in that this library has recorded.
 *
 * @category Sessions
 */
export interface Session extends SessionFacts {
  /** Our id of the session: the SHA-256 of its first session token. It opens no session, so a page may show it. */
  readonly id: string;
  /** The client that the user signed in to: one of the option `clients`. */
  readonly clientId: string;
  /** The user's id at the provider. */
  readonly sub: string;
  /** Absolute end of the session, milliseconds: the database's clock. */
  readonly expiresAt: number;
}

/**
 * A session with the session token that a sign-in has got for it.
 *
 * @category Sessions
 */
export interface RegisteredSession extends Session {
  /**
   * The secret that opens the session: the value of the browser's cookie. The library stores only its hash, and returns
   * it only here.
   */
  readonly sessionToken: string;
}

/** A session and its state at the time of the check. */
export interface CheckedSession {
  readonly session: Session;
  /** The channel of a logout that ends the session; absent if no logout ends it. */
  readonly endedBy?: LogoutChannel;
  readonly expired: boolean;
  /** Only with the option `maxIdleSeconds`. */
  readonly usage?: SessionUsage;
}

/** What a check knows of the use of a session: all times are the database's clock, milliseconds. */
export interface SessionUsage {
  /** The last use that the database has recorded, or the sign-in. */
  readonly recordedAt: number;
  /** The time of the check, or a little earlier. */
  readonly checkedAt: number;
  /** Whether the session has been unused for too long. Only the database says so, never a replica's memory. */
  readonly idle: boolean;
  /** Tells the memory that has answered the check of a later use that the database has recorded. */
  readonly onRecorded?: (recordedAt: number) => void;
}

/** Why a session that no logout has ended is over all the same; undefined if it is alive. */
export function timedOutBy({ expired, usage }: CheckedSession): 'expired' | 'idle' | undefined {
  if (expired) return 'expired';
  return usage?.idle === true ? 'idle' : undefined;
}

/**
 * A session in the list of a user's sessions.
 *
 * @category Sessions
 */
export interface ListedSession extends Session {
  /** The label that the app gave at the sign-in, for example the device. */
  readonly label?: string;
}

/**
 * Do both sessions certainly belong to one user? Only a verified token may lack `sub`; then the browser login (`sid`)
 * tells whose it is.
 */
export function isSameUser(one: SessionFacts, other: SessionFacts): boolean {
  // as targets, because the target of the user is known for some tokens without `sub`
  const [a, b] = [targetsByKind(one), targetsByKind(other)];
  if (a.sub !== undefined && b.sub !== undefined) return a.sub === b.sub;
  return a.sid !== undefined && a.sid === b.sid;
}

/** The targets of a session that name its user, by the kind of logout that they are for. */
export type TargetsByKind = Readonly<Partial<Record<OwnTargetKind, string>>>;

/** Carries the stored targets of a session. The property is not enumerable, so no log and no answer shows it. */
const STORED_TARGETS = Symbol('oneid-logout stored targets');

/**
 * Gives a session the targets that the database stores for it. The database compares logouts with these, so memory must
 * use them too: a connection that changes characters would lead to other hashes.
 */
export function withStoredTargets<Facts extends SessionFacts>(session: Facts, targets: TargetsByKind): Facts {
  return Object.defineProperty(session, STORED_TARGETS, { value: targets });
}

/**
 * The targets by which a logout of its user can reach a session: as stored, or for a session that is not stored, from its facts. In
 * place of a `sid`, a session without `sid` has the target of its user's sessions without `sid`: a logout token that
 * names another login of the user is then the only one that can reach it.
 */
export function targetsByKind(session: SessionFacts): TargetsByKind {
  const { [STORED_TARGETS]: stored } = session as { readonly [STORED_TARGETS]?: TargetsByKind };
  if (stored !== undefined) return stored;
  const { issuer, id, sid, sub } = session;
  return {
    ...(id !== undefined && { session: targetOf('session', issuer, id) }),
    ...(sid !== undefined && { sid: targetOf('sid', issuer, sid) }),
    ...(sid === undefined && sub !== undefined && { sidless: targetOf('sidless', issuer, sub) }),
    ...(sub !== undefined && { sub: targetOf('sub', issuer, sub) }),
  };
}

/** All targets by which a logout can reach a session: those of {@link targetsByKind}, and those of everyone. */
export function targetsOf(session: SessionFacts): string[] {
  return [...Object.values(targetsByKind(session)), ...everyoneTargetsOf(session.issuer, session.clientId)];
}
