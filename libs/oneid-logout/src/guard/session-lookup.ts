import { type LogoutChannel } from '../rule/logout.js';
import { type CheckedSession, type SessionFacts } from '../rule/session.js';

/** What the guard asks about sessions and users: the database in strict mode, the memory of the replica in bounded mode. */
export interface SessionLookup {
  /** @returns undefined when no session has this id */
  check(id: string): Promise<CheckedSession | undefined>;
  /** @returns the channel of a logout that ends the session with these facts, or undefined when none does */
  findLogout(facts: SessionFacts): Promise<LogoutChannel | undefined>;
  /** Has a session of this user been registered in this database? */
  knowsUser(issuer: string, sub: string): Promise<boolean>;
}

/** @internal */
export const SESSION_LOOKUP = Symbol('oneid-logout session lookup');
