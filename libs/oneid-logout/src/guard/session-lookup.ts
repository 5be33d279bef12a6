import { type LogoutChannel } from '../rule/logout.js';
import { type CheckedSession, type SessionFacts } from '../rule/session.js';

/**
 * The guard's questions about sessions and users. In strict mode the database answers, in bounded mode the replica's
 * memory while it is fresh.
 */
export interface SessionLookup {
  /**
   * @param tokenHash the hash of one of the session's tokens; the session's id is such a hash
   * @param countsAsUse whether the user has done something, so that the session is not idle (`maxIdleSeconds`)
   * @returns undefined if no session has a token with this hash
   */
  check(tokenHash: string, countsAsUse?: boolean): Promise<CheckedSession | undefined>;
  /** @returns the channel of a logout that ends the session with these facts; undefined if no logout ends it */
  endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined>;
  /** Has this user signed in with a `sid`, as far as this database remembers? */
  knowsUser(issuer: string, sub: string): Promise<boolean>;
  /**
   * @param sidTarget a target of the kind `sid`; a `sidless` one is of no use here, because it names one user
   * @returns the targets of the users who signed in with this `sid`, as far as this database remembers
   */
  findUsers(sidTarget: string): Promise<readonly string[]>;
}

/** @internal */
export const SESSION_LOOKUP = Symbol('oneid-logout session lookup');
