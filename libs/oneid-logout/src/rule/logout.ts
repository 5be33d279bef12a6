import { digest, type TargetKind } from './targets.js';

/**
 * The source of a logout:
 *
 * - `backchannel`: OneID has sent a logout token (Back-Channel Logout 1.0)
 * - `frontchannel`: OneID's page has loaded the app's front-channel URL in the browser (Front-Channel Logout 1.0)
 * - `app`: {@link LogoutService} has started it (RP-Initiated Logout 1.0)
 * - `admin`: {@link SessionRegistry} has ended one session, all sessions of the user (also to erase the user), the user's other sessions or the
 *   sessions of everyone, or {@link LogoutService.endHere} has ended the sessions of a request
 * - `replaced`: a new sign-in has replaced the session that the browser had before, or the user's oldest session
 *   (`maxSessionsPerUser`), or was itself refused
 * - `idle`: the session was not used for `maxIdleSeconds`, as the library has noticed some minutes later. It is no logout of
 *   the user
 * - `unconfirmed`: no replica could record OneID's logouts for a while (option `reconfirmAfterOutageSeconds`). It is no
 *   logout of the user; if another logout ends the session too, the library names that one
 *
 * @category Sessions
 */
// `unconfirmed` is the last one in the alphabet: where several logouts end a session, the SQL names the first channel
export type LogoutChannel = 'backchannel' | 'frontchannel' | 'app' | 'admin' | 'idle' | 'replaced' | 'unconfirmed';

/** Why a session is over that a logout of some channel has ended. */
export type EndReason = 'logged_out' | 'idle' | 'unconfirmed';

/** Why a session is over that a logout of this channel has ended. */
export function reasonOfEnd(endedBy: LogoutChannel): EndReason {
  return endedBy === 'idle' || endedBy === 'unconfirmed' ? endedBy : 'logged_out';
}

/** Limits a logout to sessions that are old enough. */
export type Bound =
  /** Ends sessions whose ID token was issued at this time or earlier: the provider's clock, seconds. */
  | { readonly issuedUntil: number }
  /** Ends sessions registered at this time or earlier: the database's clock, milliseconds. */
  | { readonly registeredUntil: number }
  /**
   * Ends sessions whose user authenticated at this time or earlier, and sessions without a proof of this time: the
   * provider's clock, seconds. For a `sid` that the provider may give to a later login.
   */
  | { readonly authenticatedUntil: number };

/**
 * Who ended sessions as an administrator, and why, for the audit trail: each a text of 1 to 255 characters without control
 * characters. The library stores both unencrypted with the logout, and tells them in the events of {@link SessionEvents}.
 * No log of the library and no answer to a request has them.
 *
 * @category Sessions
 */
export interface LogoutAuthor {
  /** Who, for example the administrator's name in your app. */
  readonly by?: string | undefined;
  /** Why, for example the number of a ticket. */
  readonly reason?: string | undefined;
}

/** A logout is a fact: it ends the sessions of its target, up to its bound. */
export interface Logout {
  /** Identifies the fact: a second insert with the same id adds no row. */
  readonly id: string;
  readonly target: string;
  readonly channel: LogoutChannel;
  /** Without a bound, the logout ends every session of the target, also sessions that start later. */
  readonly bound?: Bound | undefined;
  /** Only for a logout by an administrator. */
  readonly author?: LogoutAuthor | undefined;
}

/**
 * The id of a logout whose own id another logout may have: a provider may give two logout tokens the same `jti`. The bound
 * `registeredUntil` does not count: the database raises it, and no logout token has it.
 */
export function idOfFact({ id, target, bound }: Pick<Logout, 'id' | 'target' | 'bound'>): string {
  const bounds = Object.entries<number>({ ...bound }).filter(([name]) => name !== 'registeredUntil');
  return digest([id, target, ...bounds.flat()]);
}

/**
 * A logout to record. The database raises the bound `registeredUntil` to its time now, so that it covers every session
 * that is registered by now; but not the bound of a logout of everyone, which it records as given.
 */
export interface NewLogout extends Logout {
  readonly kind: TargetKind;
  /** `iat` of the logout token, seconds. */
  readonly iat?: number | undefined;
}

/** The id of a logout of everyone begins so. The store finds these logouts by it. */
export const EVERYONE_ID = 'everyone';

/** @param key makes the id: a second logout of everyone with the same key is the same fact */
export function everyoneIdOf(key: string): string {
  return EVERYONE_ID + digest([key]).slice(EVERYONE_ID.length);
}

/** Does this logout end the sessions of everyone? */
export function isOfEveryone({ id }: Pick<Logout, 'id'>): boolean {
  return id.startsWith(EVERYONE_ID);
}

/** A logout as the database holds it. */
export interface RecordedLogout extends Logout {
  /** When the logout was recorded or last touched: the database's clock, milliseconds. */
  readonly changedAt: number;
}
