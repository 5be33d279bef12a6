import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { requestOf } from './context-request.js';
import { type SessionFacts } from '../rule/session.js';

const CURRENT_SESSION = Symbol('oneid-logout current session');

/** Any request: the property is optional, so every object fits. */
type RequestWithSession = object & { [CURRENT_SESSION]?: SessionFacts | undefined };

/** @internal */
export const ALLOW_ANONYMOUS = 'oneid-logout:allow-anonymous';

/** @internal Marks the library's own routes: SessionAliveGuard lets OneID and browsers without a session through. */
export const LibraryRoutes = () => SetMetadata(LIBRARY_ROUTES, true);

/** @internal */
export const LIBRARY_ROUTES = 'oneid-logout:library-routes';

export interface AllowAnonymousOptions {
  /**
   * How the guard treats a request whose session is ended, expired or unknown, or whose sessions belong to different
   * users: `reject` it, or let it pass as `anonymous`. Choose `anonymous` only if the route reads the user from `@CurrentSession()` and from no other source.
   */
  readonly deadSession?: 'reject' | 'anonymous';
}

/** Opens a route behind {@link SessionAliveGuard} to requests that carry no session. */
export const AllowAnonymous = (options: AllowAnonymousOptions = {}) =>
  SetMetadata(ALLOW_ANONYMOUS, { deadSession: 'reject', ...options } satisfies Required<AllowAnonymousOptions>);

/**
 * The session that {@link SessionAliveGuard} found alive: `SessionFacts`, or undefined on an anonymous request. For
 * handlers of HTTP, gateways and GraphQL.
 */
export const CurrentSession = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  currentSession(requestOf(context)),
);

/** The session that {@link SessionAliveGuard} found alive on this request. */
export function currentSession(request: RequestWithSession | undefined): SessionFacts | undefined {
  return request?.[CURRENT_SESSION];
}

/** @internal */
export function rememberSession(request: RequestWithSession, session: SessionFacts | undefined): void {
  // defineProperty would hide it from loops over the request, but it costs more
  request[CURRENT_SESSION] = session;
}
