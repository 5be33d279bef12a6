import { type SessionFacts, targetsOf } from './session.js';

/** Over which way a logout reached us. */
export type LogoutChannel = 'backchannel' | 'frontchannel' | 'app' | 'admin' | 'replaced';

/** A logout is a fact: what it is aimed at, and at most one bound. Without a bound the target is over for good. */
export interface LogoutFact {
  readonly target: string;
  /** Ends sessions whose ID token was issued until then: the provider's clock, seconds. */
  readonly issuedUntil?: number | undefined;
  /** Ends sessions registered until then: the database's clock, milliseconds. */
  readonly registeredUntil?: number | undefined;
}

/**
 * The rule: a session is ended when a logout exists for one of its targets and the logout's bound, if any, is not
 * passed. Nothing else ends a session, and nothing brings one back.
 *
 * {@link endedSql} says the same in SQL; a property test holds the two together.
 */
export function ends(
  logout: LogoutFact,
  session: SessionFacts,
  targets: readonly string[] = targetsOf(session),
): boolean {
  if (!targets.includes(logout.target)) return false;
  if (logout.issuedUntil !== undefined) return session.issuedAt <= logout.issuedUntil;
  if (logout.registeredUntil !== undefined) return session.registeredAt <= logout.registeredUntil;
  return true;
}

/** The bound of {@link ends} for SQL: a condition on logout `l`, given what to compare its bounds with. */
export function boundSql(issuedAt: string, registeredAt: string): string {
  return `(
    (l.issued_until IS NULL AND l.registered_until IS NULL)
    OR ${issuedAt} <= l.issued_until
    OR ${registeredAt} <= l.registered_until
  )`;
}

/** The bound of {@link ends} for SQL: is the bound of logout `l` not passed by session `s`? */
export const sessionBoundSql = boundSql('s.issued_at', 's.registered_at');

/** {@link ends} for SQL: does logout `l` end session `s`? Finds logouts of a session by their index; no parameters. */
export const endedSql = `l.target IN (s.target_session, s.target_sid, s.target_sub) AND ${sessionBoundSql}`;

/** The same, finding sessions of a logout by their indexes. */
export const endsSql = `(s.target_session = l.target OR s.target_sid = l.target OR s.target_sub = l.target)
  AND ${sessionBoundSql}`;
