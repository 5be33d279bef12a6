import { type LogoutFact } from './logout.js';
import { type SessionFacts, targetsOf } from './session.js';

/**
 * The rule: a session is ended when a logout exists for one of its targets and the logout's bound, if any, is not
 * passed. Nothing else ends a session, and nothing brings one back.
 *
 * `store/rule-sql.ts` says the same in SQL; a property test holds the two together.
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
