import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { OneIdLogoutError, SessionRejectedError } from '../oneid-logout.errors.js';
import { errorFor } from './context-error.js';
import { operationOf, requestOf } from './context-request.js';
import { SessionLiveness } from './liveness.js';
import { type SessionFacts } from './session.js';
import { ALLOW_ANONYMOUS, type AllowAnonymousOptions, rememberSession } from './session.decorators.js';
import { type CarriedSession, type SessionRequest } from './session-resolvers.js';

/** What a request carries, and whether it lives. */
interface Check {
  readonly carried: CarriedSession | undefined;
  readonly alive: SessionFacts | SessionRejectedError;
}

/**
 * Rejects any request tied to an ended session: 401 with a `reason` (`logged_out`, `expired`, `unknown`, `missing`),
 * 503 when the store can't answer. For HTTP, gateways (see {@link SessionConnections.accept}) and GraphQL; clients of the
 * latter two find the same `error` and `reason` in an exception event, or in the error's `extensions`.
 *
 * @example
 * ```ts
 * @Get('me')
 * @UseGuards(SessionAliveGuard)
 * me(@CurrentSession() session: SessionFacts) {
 *   return { sub: session.sub };
 * }
 * ```
 */
@Injectable()
export class SessionAliveGuard implements CanActivate {
  private readonly operations = new WeakMap<object, { request: SessionRequest; check: Promise<Check> }>();

  constructor(
    private readonly liveness: SessionLiveness,
    private readonly reflector: Reflector,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const anonymous = this.reflector.getAllAndOverride<Required<AllowAnonymousOptions> | undefined>(ALLOW_ANONYMOUS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (!this.liveness.findsSessions) {
      throw new Error('SessionAliveGuard: set the option sessionFrom of OneIdLogoutModule, or no session can be found');
    }
    try {
      return await this.admit(context, anonymous);
    } catch (error) {
      throw error instanceof OneIdLogoutError ? await errorFor(context, error) : error;
    }
  }

  /** What carries the session in this kind of context; override it for RPC, and for what else has no request of HTTP. */
  protected getRequest(context: ExecutionContext): SessionRequest {
    return requestOf(context);
  }

  private async admit(
    context: ExecutionContext,
    anonymous: Required<AllowAnonymousOptions> | undefined,
  ): Promise<boolean> {
    const request = this.getRequest(context);
    const { carried, alive } = await this.checkOnce(context, request);
    if (!(alive instanceof SessionRejectedError)) {
      rememberSession(request, alive);
      return true;
    }
    if (anonymous !== undefined && (carried === undefined || anonymous.deadSession === 'anonymous')) {
      // the request that opened a socket may bear the session of an earlier message
      rememberSession(request, undefined);
      return true;
    }
    this.challenge(context, request, carried);
    throw alive;
  }

  /** GraphQL asks for every field of an operation. */
  private checkOnce(context: ExecutionContext, request: SessionRequest): Promise<Check> {
    const operation = operationOf(context);
    if (operation === undefined) return this.check(context, request);
    const known = this.operations.get(operation);
    if (known?.request === request) return known.check;
    const check = this.check(context, request);
    this.operations.set(operation, { request, check });
    return check;
  }

  private async check(context: ExecutionContext, request: SessionRequest): Promise<Check> {
    const carried = await this.liveness.carriedBy(request, context);
    try {
      return { carried, alive: await this.liveness.requireAlive(carried) };
    } catch (error) {
      if (error instanceof SessionRejectedError) return { carried, alive: error };
      throw error;
    }
  }

  /** RFC 6750 §3: a bearer client is told by header that its token is of no use any more. */
  private challenge(context: ExecutionContext, request: SessionRequest, carried: CarriedSession | undefined): void {
    if (context.getType() !== 'http') return;
    const { authorization } = request.headers;
    const bearer = typeof authorization === 'string' && /^bearer /i.test(authorization);
    if (!bearer && !(carried && 'claims' in carried)) return;
    this.adapterHost.httpAdapter.setHeader(
      context.switchToHttp().getResponse(),
      'WWW-Authenticate',
      'Bearer error="invalid_token", error_description="The session of this token has ended"',
    );
  }
}
