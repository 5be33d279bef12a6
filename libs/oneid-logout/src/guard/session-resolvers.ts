import { type ExecutionContext } from '@nestjs/common';
import { isCookieName, readCookie, readCookies, repeatsCookie } from '../http/cookies.js';

/**
 * Claims of a token that another guard has verified. The request is rejected if `iss` or `iat` is missing, if both `sid`
 * and `sub` are missing, or if one of them is of the wrong type. `null` and `""` count as missing.
 *
 * Without `sub`, the token counts as that user's who has signed in with its `sid` in this database. If no user has, only
 * a logout of this `sid` ends it; the log then has a warning.
 *
 * @category Guard and decorators
 */
export interface TokenClaims {
  /** The provider's issuer, as text. A configured client must have it. */
  readonly iss?: unknown;
  /** The user's id at the provider, as text. */
  readonly sub?: unknown;
  /** The provider's id of the browser login, as text. A logout at OneID names it. */
  readonly sid?: unknown;
  /** When the provider issued the token, seconds. */
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
  /** Names the client, before `azp` and `aud`: a logout of everyone may be one of this client. */
  readonly client_id?: unknown;
  /** Names the client, before `aud`. */
  readonly azp?: unknown;
  /** Names the client. */
  readonly aud?: unknown;
}

/**
 * The session that a request carries: its session token, or the claims of a verified token.
 *
 * @category Guard and decorators
 */
export type CarriedSession =
  | {
      /** From {@link SessionRegistry.register}. */
      readonly sessionToken: string;
    }
  | {
      /** Of a token that another guard has verified. */
      readonly claims: TokenClaims;
    };

/**
 * The parts of a request that resolvers read. The requests of Express and Fastify have them.
 *
 * @category Guard and decorators
 */
export interface SessionRequest {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** From express-session or a similar middleware. */
  readonly session?: unknown;
  /** From an earlier guard, such as passport's. */
  readonly user?: unknown;
}

/**
 * What one resolver finds on a request: no session, one, or several values of which one must be alive.
 *
 * @category Guard and decorators
 */
export type FoundSession = CarriedSession | readonly CarriedSession[] | undefined;

/**
 * Returns the session that a request carries, or undefined if it finds no session. The guard asks all its resolvers,
 * and each resolver that finds something must find a live session. Handlers get the session of the first of them.
 *
 * A resolver may return a list, for example of two cookies with one name. One live session in the list is enough; if
 * several are alive, they must belong to one user, and the first of them counts. The guard refuses a list of more than
 * four values.
 *
 * @category Guard and decorators
 * @example
 * ```ts
 * import { type SessionResolver } from 'nestjs-oneid-logout';
 *
 * // a mobile app sends its session token in a header of its own
 * export const sessionFromHeader: SessionResolver = ({ headers }) => {
 *   const sessionToken = headers['x-session-token'];
 *   return typeof sessionToken === 'string' ? { sessionToken } : undefined;
 * };
 * ```
 */
export type SessionResolver = (
  request: SessionRequest,
  context?: ExecutionContext,
) => FoundSession | Promise<FoundSession>;

/**
 * Reads the session token from the cookie with this name, or from each cookie with this name.
 *
 * @returns for the option `sessionFrom`
 * @throws {TypeError} this is no name of a cookie, for example an empty text (RFC 6265 §4.1.1)
 * @category Guard and decorators
 * @example
 * ```ts
 * import { OneIdLogoutModule, sessionFromCookie } from 'nestjs-oneid-logout';
 *
 * const postLogoutRedirectUri = 'https://my-app.example/logout/callback';
 *
 * export const oneIdLogout = OneIdLogoutModule.forRoot({
 *   clients: [{ issuer: 'https://oauth-qc.vinid.dev/', clientId: 'my-app', postLogoutRedirectUri }],
 *   sessionFrom: sessionFromCookie('__Host-session'),
 * });
 * ```
 */
export function sessionFromCookie(name: string): SessionResolver {
  if (!isCookieName(name)) {
    throw new TypeError("sessionFromCookie() needs the name of a cookie, such as '__Host-session'");
  }
  return ({ headers: { cookie } }) => {
    if (!repeatsCookie(cookie, name)) return byToken(readCookie(cookie, name));
    return readCookies(cookie, name).flatMap((value) => byToken(value) ?? []);
  };
}

/**
 * Reads the session token from express-session (or another `request.session`), under this key.
 *
 * @returns for the option `sessionFrom`
 * @category Guard and decorators
 * @example
 * ```ts
 * import { sessionFromExpressSession, SessionRegistry } from 'nestjs-oneid-logout';
 *
 * export const sessionFrom = sessionFromExpressSession('oneIdSession');
 *
 * // at the sign-in
 * export async function signedIn(request: { session: object }, sessions: SessionRegistry, idToken: string) {
 *   const { sessionToken } = await sessions.register({ idToken });
 *   Object.assign(request.session, { oneIdSession: sessionToken });
 * }
 * ```
 */
export function sessionFromExpressSession(key = 'oneIdSession'): SessionResolver {
  return (request) => byToken(property(request.session, key));
}

/**
 * Reads the session token from a property of `request.user`, which an earlier guard has set.
 *
 * @returns for the option `sessionFrom`
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { AuthGuard } from '@nestjs/passport';
 * import { SessionAliveGuard, sessionFromUser } from 'nestjs-oneid-logout';
 *
 * export const sessionFrom = sessionFromUser('sessionToken'); // reads request.user.sessionToken
 *
 * @Controller('me')
 * @UseGuards(AuthGuard('jwt'), SessionAliveGuard) // passport's guard runs first
 * export class MeController {
 *   @Get()
 *   read() {
 *     return { alive: true };
 *   }
 * }
 * ```
 */
export function sessionFromUser(key = 'sessionToken'): SessionResolver {
  return (request) => byToken(property(request.user, key));
}

/**
 * Reads the claims of a bearer token that an earlier guard has verified, for an API that never saw the sign-in.
 *
 * OneID names only the `sid` when a user logs out. So the token must carry `sid`, or the client's `logoutScope` must be
 * `user`. The guard refuses a token that no logout could end.
 *
 * The resolver verifies nothing: the guard that runs before must check the token's signature, `exp` and `aud`.
 *
 * @param read returns the verified claims, by default `request.user`
 * @returns for the option `sessionFrom`; a value without `iss` is no session
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { AuthGuard } from '@nestjs/passport';
 * import { CurrentSession, SessionAliveGuard, type SessionFacts, sessionFromClaims } from 'nestjs-oneid-logout';
 *
 * export const sessionFrom = sessionFromClaims(); // reads request.user, where passport puts the verified claims
 *
 * @Controller('me')
 * @UseGuards(AuthGuard('jwt'), SessionAliveGuard) // passport's guard runs first
 * export class MeController {
 *   @Get()
 *   read(@CurrentSession() session: SessionFacts) {
 *     return { sub: session.sub };
 *   }
 * }
 * ```
 */
export function sessionFromClaims(
  read: (request: SessionRequest) => unknown = (request) => request.user,
): SessionResolver {
  const resolver: SessionResolver = (request) => {
    const claims = read(request);
    return typeof claims === 'object' && claims !== null && 'iss' in claims ? { claims } : undefined;
  };
  return Object.defineProperty(resolver, READS_CLAIMS, { value: true });
}

const READS_CLAIMS = Symbol('oneid-logout reads claims');

/** Is this a resolver of {@link sessionFromClaims}? */
export function readsClaims(resolver: SessionResolver): boolean {
  return READS_CLAIMS in resolver;
}

function byToken(sessionToken: unknown): CarriedSession | undefined {
  return typeof sessionToken === 'string' && sessionToken !== '' ? { sessionToken } : undefined;
}

function property(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[key] : undefined;
}
