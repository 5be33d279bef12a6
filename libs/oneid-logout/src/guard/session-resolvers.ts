import { type ExecutionContext } from '@nestjs/common';
import { parseCookie } from 'cookie';

/**
 * Claims of a token that another guard has verified. The request is rejected if `iss`, `sub` or `iat` is missing or of
 * the wrong type, or if `sid` is not a valid string.
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
}

/** The session that a request carries: its session token, from `register()`, or the claims of a verified token. */
export type CarriedSession = { readonly sessionToken: string } | { readonly claims: TokenClaims };

/** The parts of a request that resolvers read. Express and Fastify both have them. */
export interface SessionRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly session?: unknown;
  readonly user?: unknown;
}

/**
 * Returns the session that a request carries, or undefined if it finds no session. The guard asks its resolvers in
 * order, and the first answer counts.
 */
export type SessionResolver = (
  request: SessionRequest,
  context?: ExecutionContext,
) => CarriedSession | undefined | Promise<CarriedSession | undefined>;

/** Reads the session token from the cookie with this name. */
export function sessionFromCookie(name: string): SessionResolver {
  return (request) => {
    const { cookie } = request.headers;
    return typeof cookie === 'string' ? byToken(parseCookie(cookie)[name]) : undefined;
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
