import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { holderOf } from './context-request.js';
import { type SessionFacts } from '../rule/session.js';

const CURRENT_SESSION = Symbol('oneid-logout current session');

/** Any object: the property is optional. It is undefined on an anonymous request, and missing if no guard has run. */
type RequestWithSession = object & { [CURRENT_SESSION]?: SessionFacts | undefined };

/** @internal */
export const ALLOW_ANONYMOUS = 'oneid-logout:allow-anonymous';

/** @internal Marks the library's own routes: SessionAliveGuard lets OneID and browsers without a session through. */
export const LibraryRoutes = () => SetMetadata(LIBRARY_ROUTES, true);

/** @internal */
export const LIBRARY_ROUTES = 'oneid-logout:library-routes';

/**
 * Options of {@link AllowAnonymous}.
 *
 * @category Guard and decorators
 */
export interface AllowAnonymousOptions {
  /**
   * How the guard treats a request whose session is ended, expired or unknown, or whose sessions belong to different
   * users: `reject` it, or let it pass as `anonymous`. Choose `anonymous` only if the route reads the user from
   * `@CurrentSession()` and from no other source.
   *
   * @defaultValue 'reject'
   */
  readonly deadSession?: 'reject' | 'anonymous';
}

/**
 * Opens a route behind {@link SessionAliveGuard} to requests that carry no session. {@link CurrentSession} is then
 * undefined.
 *
 * @returns a decorator for a controller or a handler
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { AllowAnonymous, CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
 *
 * @Controller()
 * @UseGuards(SessionAliveGuard)
 * export class HomeController {
 *   @Get()
 *   @AllowAnonymous()
 *   greet(@CurrentSession() session: SessionFacts | undefined) {
 *     return { greeting: session === undefined ? 'Hello' : `Hello, ${session.sub}` };
 *   }
 * }
 * ```
 */
export const AllowAnonymous = (options: AllowAnonymousOptions = {}) =>
  SetMetadata(ALLOW_ANONYMOUS, { deadSession: 'reject', ...options } satisfies Required<AllowAnonymousOptions>);

/** @internal */
export const NOT_ACTIVITY = 'oneid-logout:not-activity';

/**
 * Requests of this route do not count as a use of the session, for the option `maxIdleSeconds`: for what a page does
 * without its user, such as polling. {@link SessionAliveGuard} checks them as usual. Streams (`@Sse()`, subscriptions of
 * GraphQL) never count: browsers open them again by themselves.
 *
 * @returns a decorator for a controller or a handler
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { NotActivity, SessionAliveGuard } from 'nestjs-oneid-logout';
 *
 * @Controller('inbox')
 * @UseGuards(SessionAliveGuard)
 * export class InboxController {
 *   @Get('unread') // the page asks every 30 seconds
 *   @NotActivity()
 *   countUnread() {
 *     return { unread: 3 };
 *   }
 * }
 * ```
 */
export const NotActivity = () => SetMetadata(NOT_ACTIVITY, true);

/**
 * A parameter of a handler: the session that {@link SessionAliveGuard} found alive, as {@link SessionFacts}. It is
 * undefined on an anonymous request ({@link AllowAnonymous}). For handlers of HTTP, gateways, microservices and GraphQL.
 *
 * With {@link sessionFromCookie} and other resolvers of session tokens, the parameter may have the type {@link Session}.
 *
 * @throws {Error} no SessionAliveGuard has run before the handler
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { CurrentSession, type Session, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
 *
 * @Controller('sessions')
 * @UseGuards(SessionAliveGuard)
 * export class SessionsController {
 *   constructor(private readonly sessions: SessionRegistry) {}
 *
 *   @Get()
 *   list(@CurrentSession() session: Session) {
 *     return this.sessions.listAlive(session);
 *   }
 * }
 * ```
 */
export const CurrentSession = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const holder: RequestWithSession | undefined = holderOf(context);
  if (holder !== undefined && CURRENT_SESSION in holder) return holder[CURRENT_SESSION];
  throw new Error(
    `${context.getClass().name}.${context.getHandler().name}() uses @CurrentSession(), but no SessionAliveGuard has run ` +
      'before it. Add @UseGuards(SessionAliveGuard). In a unit test, put a StandInGuard of ' +
      'nestjs-oneid-logout/testing in its place.',
  );
});

/**
 * The session that {@link SessionAliveGuard} found alive on this request, for interceptors, later guards and other code
 * without `@CurrentSession()`.
 *
 * @param request the framework's request; in a microservice, the message's context (`context.switchToRpc().getContext()`)
 * @returns undefined on an anonymous request, and if no guard has run
 * @category Guard and decorators
 * @example
 * ```ts
 * import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
 * import { currentSession } from 'nestjs-oneid-logout';
 *
 * const administrators: readonly (string | undefined)[] = ['alice', 'bao'];
 *
 * // it runs after the library's guard: @UseGuards(SessionAliveGuard, AdministratorGuard)
 * @Injectable()
 * export class AdministratorGuard implements CanActivate {
 *   canActivate(context: ExecutionContext): boolean {
 *     const session = currentSession(context.switchToHttp().getRequest<object>());
 *     return session !== undefined && administrators.includes(session.sub);
 *   }
 * }
 * ```
 */
export function currentSession(request: object | undefined): SessionFacts | undefined {
  const holder: RequestWithSession | undefined = request;
  return holder?.[CURRENT_SESSION];
}

/**
 * Keeps the session for the handler, which reads it with `@CurrentSession()`, and for `currentSession(request)`.
 *
 * @internal
 * @param request the request that the guard has judged; with an overridden `getRequest()`, perhaps an object of its own
 */
export function rememberSession(
  context: ExecutionContext,
  request: RequestWithSession,
  session: SessionFacts | undefined,
): void {
  // defineProperty would hide it from loops over the request, but it costs more
  request[CURRENT_SESSION] = session;
  const holder = holderOf(context);
  if (holder === undefined || holder === request) return;
  // the app may log or copy the data of a message, and the session must not go along
  Object.defineProperty(holder, CURRENT_SESSION, { value: session, configurable: true, writable: true });
}
