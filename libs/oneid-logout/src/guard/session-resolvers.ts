import { type ExecutionContext } from '@nestjs/common';
import { readCookie, readCookies, repeatsCookie } from '../http/cookies.js';

/**
 * Claims of a token that another guard has verified. The request is rejected if `iss` or `iat` is missing, if both `sid`
 * and `sub` are missing, or if one of them is of the wrong type. `null` and `""` count as missing.
 *
 * Without `sub`, the token counts as that user's who has signed in with its `sid` in this database. If no user has, only
 * a logout of this `sid` ends it; the log then has a warning.
 */
export interface TokenClaims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly sid?: unknown;
  readonly iat?: unknown;
  /**
   * Seconds. Sockets and streams opened with the token are closed at this time. SessionAliveGuard does not reject
   * requests for it: the guard that verified the token has checked `exp`.
   */
  readonly exp?: unknown;
  /** When the user logged in, seconds. With this claim, a refreshed token cannot outlive the record of a logout. */
  readonly auth_time?: unknown;
  /** Seconds. The provider's limit for the session, see `RegisterSessionOptions.expiresAt`. */
  readonly session_expiry?: unknown;
  /** These three name the client in warnings. */
  readonly client_id?: unknown;
  readonly azp?: unknown;
  readonly aud?: unknown;
}

/** The session that a request carries: its session token, from `register()`, or the claims of a verified token. */
export type CarriedSession = { readonly sessionToken: string } | { readonly claims: TokenClaims };

/** The parts of a request that resolvers read. Express and Fastify both have them. */
export interface SessionRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly session?: unknown;
  readonly user?: unknown;
}

/** What one resolver finds on a request: no session, one, or several values of which one must be alive. */
export type FoundSession = CarriedSession | readonly CarriedSession[] | undefined;

/**
 * Returns the session that a request carries, or undefined if it finds no session. The guard asks all its resolvers,
 * and each resolver that finds something must find a live session. Handlers get the session of the first of them.
 *
 * A resolver may return a list, for example of two cookies with one name. One live session in the list is enough; if
 * several are alive, they must belong to one user, and the first of them counts. The guard refuses a list of more than
 * four values.
 */
export type SessionResolver = (
  request: SessionRequest,
  context?: ExecutionContext,
) => FoundSession | Promise<FoundSession>;

/** Reads the session token from the cookie with this name, or from each cookie with this name. */
export function sessionFromCookie(name: string): SessionResolver {
  return ({ headers: { cookie } }) => {
    if (!repeatsCookie(cookie, name)) return byToken(readCookie(cookie, name));
    return readCookies(cookie, name).flatMap((value) => byToken(value) ?? []);
  };
}

/** Reads the session token from express-session (or another `request.session`), under this key. */
export function sessionFromExpressSession(key = 'oneIdSession'): SessionResolver {
  return (request) => byToken(property(request.session, key));
}

/** Reads the session token from a property of `request.user`, which an earlier guard has set. */
export function sessionFromUser(key = 'sessionToken'): SessionResolver {
  return (request) => byToken(property(request.user, key));
}

/**
 * Reads the claims of a bearer token that an earlier guard has verified, for an API that never saw the sign-in.
 *
 * OneID names only the `sid` when a user logs out. So the token must carry `sid`, or the client's `logoutScope` must be
 * `user`. The guard refuses a token that no logout could end.
 *
 * @param read returns the verified claims, by default `request.user`
 */
export function sessionFromClaims(
  read: (request: SessionRequest) => unknown = (request) => request.user,
): SessionResolver {
  return (request) => {
    const claims = read(request);
    return typeof claims === 'object' && claims !== null && 'iss' in claims ? { claims } : undefined;
  };
}

function byToken(sessionToken: unknown): CarriedSession | undefined {
  return typeof sessionToken === 'string' && sessionToken !== '' ? { sessionToken } : undefined;
}

function property(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[key] : undefined;
}
