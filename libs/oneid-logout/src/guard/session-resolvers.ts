import { type ExecutionContext } from '@nestjs/common';
import { parseCookie } from 'cookie';

/** Claims of a token that has already been verified; what is missing or of the wrong type leads to a rejection. */
export interface TokenClaims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly sid?: unknown;
  readonly iat?: unknown;
  /** Seconds; closes what is open under the token, and rejects no request: whoever verified the token has done that. */
  readonly exp?: unknown;
  /** When the user logged in, seconds; a token that has it can't outlive the memory of logouts by being refreshed. */
  readonly auth_time?: unknown;
}

/** Which session a request carries: one of ours by its id, or the claims of a verified token. */
export type CarriedSession = { readonly id: string } | { readonly claims: TokenClaims };

/** As much of a request as resolvers look at, on Express and Fastify alike. */
export interface SessionRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly session?: unknown;
  readonly user?: unknown;
}

/** Says which session a request carries; undefined when none. Several are asked in turn, the first answer counts. */
export type SessionResolver = (
  request: SessionRequest,
  context?: ExecutionContext,
) => CarriedSession | undefined | Promise<CarriedSession | undefined>;

/** The session's id is the value of a cookie. */
export function sessionFromCookie(name: string): SessionResolver {
  return (request) => {
    const { cookie } = request.headers;
    return typeof cookie === 'string' ? byId(parseCookie(cookie)[name]) : undefined;
  };
}

/** The session's id is kept in express-session (or another `request.session`) under this key. */
export function sessionFromExpressSession(key = 'oneIdSession'): SessionResolver {
  return (request) => byId(property(request.session, key));
}

/** The session's id is a property of `request.user`, put there by a guard that ran before. */
export function sessionFromUser(key = 'sessionId'): SessionResolver {
  return (request) => byId(property(request.user, key));
}

/**
 * The request carries a bearer token that a guard before has verified; for an API that never saw the sign-in.
 *
 * OneID names only the `sid` when a user logs out, so the token must carry `sid`, or the client's `logoutScope` be
 * `user`; a token that can never be rejected is refused.
 *
 * @param read gives the verified claims, by default `request.user`
 */
export function sessionFromClaims(
  read: (request: SessionRequest) => unknown = (request) => request.user,
): SessionResolver {
  return (request) => {
    const claims = read(request);
    return typeof claims === 'object' && claims !== null && 'iss' in claims ? { claims } : undefined;
  };
}

function byId(id: unknown): CarriedSession | undefined {
  return typeof id === 'string' && id !== '' ? { id } : undefined;
}

function property(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[key] : undefined;
}
