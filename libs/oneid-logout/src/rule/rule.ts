import { type Logout } from './logout.js';
import { type SessionFacts, targetsOf } from './session.js';

/**
 * The rule: a logout ends a session if it names one of the session's targets and the session is not newer than the
 * logout's bound. A logout without a bound ends every session of its target. An ended session never comes back.
 *
 * `store/rule-sql.ts` states the same rule in SQL. A property test checks that both agree. `endingsSql` of
 * `store/session.repository.ts` leaves the rule to this function: it reads the widest bounds of each target.
 */
export function ends(
  logout: Pick<Logout, 'target' | 'bound'>,
  session: SessionFacts,
  targets: readonly string[] = targetsOf(session),
): boolean {
  if (!targets.includes(logout.target)) return false;
  const { bound } = logout;
  if (bound === undefined) return true;
  if ('issuedUntil' in bound) return session.iat <= bound.issuedUntil;
  if ('registeredUntil' in bound) return session.registeredAt <= bound.registeredUntil;
  return (session.authTime ?? 0) <= bound.authenticatedUntil;
}
