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
  // as targets, because the users of some tokens without `sub` are known
  const [a, b] = [usersOf(one), usersOf(other)];
  if (a.length > 0 && b.length > 0) return a.join() === b.join();
  const { sid } = targetsByKind(one);
  return sid !== undefined && sid === targetsByKind(other).sid;
}

/** The targets of a session that name its user, by the kind of logout that they are for. */
export type TargetsByKind = Readonly<Partial<Record<OwnTargetKind, string>>>;

interface KnownTargets {
  readonly byKind: TargetsByKind;
  /** Only of a token without `sub`. */
  readonly users?: readonly string[];
}

/** Carries the targets of a session that its facts do not tell. Not enumerable, so no log and no answer shows it. */
const KNOWN_TARGETS = Symbol('oneid-logout known targets');

function knownTargetsOf(session: SessionFacts): KnownTargets | undefined {
  return (session as { readonly [KNOWN_TARGETS]?: KnownTargets })[KNOWN_TARGETS];
}

function withKnownTargets<Facts extends SessionFacts>(session: Facts, known: KnownTargets): Facts {
  return Object.defineProperty(session, KNOWN_TARGETS, { value: known });
}

/**
 * Gives a session the targets that the database stores for it. The database compares logouts with these, so memory must
 * use them too: a connection that changes characters would lead to other hashes.
 */
export function withStoredTargets<Facts extends SessionFacts>(session: Facts, targets: TargetsByKind): Facts {
  return withKnownTargets(session, { byKind: targets });
}

/**
 * Returns a token without `sub` as the token of the users who have signed in with its `sid`: a logout of each of them ends
 * it. Several users have one `sid` only if the provider reuses it.
 *
 * @param users their targets
 */
export function withUsers(token: SessionFacts, users: readonly string[]): SessionFacts {
  return withKnownTargets({ ...token }, { byKind: targetsByKind(token), users: [...users].sort() });
}

/** Returns a copy with the same targets. */
export function copyOf<Facts extends SessionFacts>(session: Facts): Facts {
  const known = knownTargetsOf(session);
  return known === undefined ? { ...session } : withKnownTargets({ ...session }, known);
}

/** The target of the session's user; of a token without `sub`, those of {@link withUsers}. */
export function usersOf(session: SessionFacts): readonly string[] {
  const { sub } = targetsByKind(session);
  return sub === undefined ? (knownTargetsOf(session)?.users ?? []) : [sub];
}

/**
 * The targets by which a logout of its user can reach a session: as stored, or for a session that is not stored, from its facts. In
 * place of a `sid`, a session without `sid` has the target of its user's sessions without `sid`: a logout token that
 * names another login of the user is then the only one that can reach it.
 */
export function targetsByKind(session: SessionFacts): TargetsByKind {
  const known = knownTargetsOf(session);
  if (known !== undefined) return known.byKind;
  const { issuer, id, sid, sub } = session;
  return {
    ...(id !== undefined && { session: targetOf('session', issuer, id) }),
    ...(sid !== undefined && { sid: targetOf('sid', issuer, sid) }),
    ...(sid === undefined && sub !== undefined && { sidless: targetOf('sidless', issuer, sub) }),
    ...(sub !== undefined && { sub: targetOf('sub', issuer, sub) }),
  };
}

/**
 * All targets by which a logout can reach a session: those of {@link targetsByKind}, of {@link withUsers}, and those of
 * everyone.
 */
export function targetsOf(session: SessionFacts): string[] {
  const users = knownTargetsOf(session)?.users ?? [];
  const everyone = everyoneTargetsOf(session.issuer, session.clientId);
  return [...Object.values(targetsByKind(session)), ...users, ...everyone];
}
