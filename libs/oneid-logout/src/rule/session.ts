import { type LogoutChannel } from './logout.js';
import { targetOf } from './targets.js';

/** What is known of whoever makes a request; facts, so they never change. */
export interface SessionFacts {
  /** Our random id; a secret like any session id. Absent when the request carried a verified token instead. */
  readonly id?: string;
  /** `iss` of the ID token. */
  readonly issuer: string;
  readonly clientId?: string;
  /** The provider's session id: one browser login, the same for all its clients. */
  readonly sid?: string;
  readonly sub?: string;
  /** The token's `iat`: the provider's clock, seconds. */
  readonly issuedAt: number;
  /** When we recorded the sign-in: the database's clock, milliseconds. */
  readonly registeredAt: number;
  /** Absolute end of the session: the database's clock, milliseconds. */
  readonly expiresAt?: number;
}

/** A sign-in that this library has recorded. */
export interface Session extends SessionFacts {
  readonly id: string;
  readonly clientId: string;
  readonly sub: string;
  readonly expiresAt: number;
}

/** A session and what the store says of it at this moment. */
export interface CheckedSession {
  readonly session: Session;
  /** The channel of a logout that ends it; absent while it lives. */
  readonly endedBy?: LogoutChannel;
  readonly expired: boolean;
}

/** A session in a list of those that its user has. */
export interface ListedSession extends Session {
  /** What the app gave at the sign-in to know it again. */
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
