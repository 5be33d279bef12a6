import { type LogoutChannel } from './logout.js';
import { targetOf } from './targets.js';

/** The facts of a session, or of the verified token that a request carries. They never change. */
export interface SessionFacts {
  /** Our random id, a secret like any session id. Absent when the request carried a verified token instead. */
  readonly id?: string;
  /** `iss` of the ID token. */
  readonly issuer: string;
  readonly clientId?: string;
  /** The provider's id for one browser login. All clients in this login get the same `sid`. */
  readonly sid?: string;
  readonly sub?: string;
  /** The token's `iat`: the provider's clock, seconds. */
  readonly iat: number;
  /** When we recorded the sign-in: the database's clock, milliseconds. For a verified token: `iat` × 1000. */
  readonly registeredAt: number;
  /** Absolute end of the session, milliseconds: the database's clock. For a verified token: the provider's clock. */
  readonly expiresAt?: number;
}

/** A sign-in that this library has recorded. */
export interface Session extends SessionFacts {
  readonly id: string;
  readonly clientId: string;
  readonly sub: string;
  readonly expiresAt: number;
}

/** A session and its state at the time of the check. */
export interface CheckedSession {
  readonly session: Session;
  /** The channel of a logout that ends the session; absent if no logout ends it. */
  readonly endedBy?: LogoutChannel;
  readonly expired: boolean;
}

/** A session in the list of a user's sessions. */
export interface ListedSession extends Session {
  /** The label that the app gave at the sign-in, for example the device. */
  readonly label?: string;
}

/** The targets by which a logout can reach a session. */
export function targetsOf(session: SessionFacts): string[] {
  const targets: string[] = [];
  if (session.id !== undefined) targets.push(targetOf('session', session.issuer, session.id));
  if (session.sid !== undefined) targets.push(targetOf('sid', session.issuer, session.sid));
  if (session.sub !== undefined) targets.push(targetOf('sub', session.issuer, session.sub));
  return targets;
}
