import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { SSE_METADATA } from '@nestjs/common/constants.js';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { Logger } from '../logger.js';
import {
  OneIdLogoutError,
  SessionRejectedError,
  STORE_RETRY_AFTER_SECONDS,
  StoreUnavailableError,
} from '../oneid-logout.errors.js';
import { errorFor } from './context-error.js';
import { isAccepted, isSubscription, operationOf, requestOf } from './context-request.js';
import { type Carried, SessionJudge, type Verdict } from './session-judge.js';
import {
  ALLOW_ANONYMOUS,
  type AllowAnonymousOptions,
  LIBRARY_ROUTES,
  NOT_ACTIVITY,
  rememberSession,
} from './session.decorators.js';
import { type SessionRequest } from './session-resolvers.js';

/** What the guard asks the judge: the stand-in of unit tests answers the same questions. */
export type GuardQuestions = Pick<SessionJudge, 'endsIdleSessions' | 'judge' | 'requireResolvers' | 'resolveSession'>;

/** Sets a header of an HTTP answer: the app's HTTP adapter, or its stand-in. */
export interface HeaderSetter {
  readonly httpAdapter: Pick<HttpAdapterHost['httpAdapter'], 'setHeader'>;
}

/** What a request carries, and the verdict on it. */
interface Judged {
  readonly carried: Carried | undefined;
  readonly verdict: Verdict;
}

/** The verdict that serves all fields of a GraphQL operation. */
interface JudgedOperation {
  readonly request: SessionRequest;
  readonly countsAsUse: boolean;
  readonly judged: Promise<Judged>;
}

/**
 * Lets a request through only if its session is alive. Otherwise it throws:
 *
 * - {@link SessionRejectedError}, 401: the `reason` says why ({@link RejectionReason})
 * - {@link StoreUnavailableError}, 503: the store can't answer, and the guard does not guess
 *
 * The guard finds the session with the option `sessionFrom`, and lets OneID's requests to the module's own routes through.
 * It works for HTTP, gateways (see {@link SessionConnections.accept}) and GraphQL. Clients of a gateway find the same
 * `error` and `reason` in an exception event, GraphQL clients in the error's `extensions`. A bearer client also gets
 * `WWW-Authenticate` (RFC 6750 §3).
 *
 * @category Guard and decorators
 * @hideconstructor
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from '@nestjs/common';
 * import { CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
 *
 * @Controller('me')
 * @UseGuards(SessionAliveGuard)
 * export class MeController {
 *   @Get()
 *   read(@CurrentSession() session: SessionFacts) {
 *     return { sub: session.sub };
 *   }
 * }
 * ```
 * @example To guard all routes of the app
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { APP_GUARD } from '@nestjs/core';
 * import { SessionAliveGuard } from 'nestjs-oneid-logout';
 *
 * @Module({ providers: [{ provide: APP_GUARD, useExisting: SessionAliveGuard }] })
 * export class AppModule {}
 * ```
 */
@Injectable()
export class SessionAliveGuard implements CanActivate {
  private warnedOfUnaccepted = false;
  private readonly operations = new WeakMap<object, JudgedOperation>();

  constructor(
    @Inject(SessionJudge) private readonly judge: GuardQuestions,
    private readonly reflector: Reflector,
    @Inject(HttpAdapterHost) private readonly adapterHost: HeaderSetter,
  ) {}

  /** @internal Does this guard use the options of this judge's registration? */
  asks(judge: SessionJudge): boolean {
    return this.judge === judge;
  }

  /**
   * Nest calls it for each guarded request, message or GraphQL field.
   *
   * @returns true: the session is alive, or the route has `@AllowAnonymous()`
   * @throws {SessionRejectedError} 401; in a gateway a `WsException`, in a microservice an `RpcException`
   * @throws {StoreUnavailableError} 503; converted likewise
   * @throws {TypeError} the context has no request, see {@link getRequest}
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    // a global guard runs here too, but these routes must also serve browsers whose session is over
    if (this.reflector.get<boolean | undefined>(LIBRARY_ROUTES, context.getClass())) return true;
    const anonymous = this.reflector.getAllAndOverride<Required<AllowAnonymousOptions> | undefined>(ALLOW_ANONYMOUS, [
      context.getHandler(),
      context.getClass(),
    ]);
    this.judge.requireResolvers();
    try {
      return await this.admit(context, anonymous);
    } catch (error) {
      if (error instanceof StoreUnavailableError)
        this.setHeader(context, 'Retry-After', String(STORE_RETRY_AFTER_SECONDS));
      throw error instanceof OneIdLogoutError ? await errorFor(context, error) : error;
    }
  }

  /**
   * Returns the request that carries the session. Override it for microservices and other contexts without an HTTP
   * request. A gateway that takes the session from its messages needs messages that are objects: of two other messages
   * that one handler gets at the same time, `@CurrentSession()` may give the session of the later one to both.
   *
   * @example
   * ```ts
   * import { type ExecutionContext, Injectable } from '@nestjs/common';
   * import { SessionAliveGuard, type SessionRequest } from 'nestjs-oneid-logout';
   *
   * // the option `sessionFrom` is sessionFromCookie('session')
   * @Injectable()
   * export class MessageGuard extends SessionAliveGuard {
   *   protected override getRequest(context: ExecutionContext): SessionRequest {
   *     if (context.getType() !== 'rpc') return super.getRequest(context);
   *     const { sessionToken } = context.switchToRpc().getData<{ sessionToken?: string }>();
   *     return { headers: sessionToken === undefined ? {} : { cookie: `session=${sessionToken}` } };
   *   }
   * }
   * ```
   */
  protected getRequest(context: ExecutionContext): SessionRequest {
    return requestOf(context);
  }

  private async admit(
    context: ExecutionContext,
    anonymous: Required<AllowAnonymousOptions> | undefined,
  ): Promise<boolean> {
    const request = this.getRequest(context);
    this.warnOfUnaccepted(context);
    const { carried, verdict } = await this.judgeOnce(context, request);
    if ('alive' in verdict) {
      rememberSession(context, request, verdict.alive);
      return true;
    }
    if (anonymous !== undefined && (carried === undefined || anonymous.deadSession === 'anonymous')) {
      // the request that opened a socket may still hold the session of an earlier message
      rememberSession(context, request, undefined);
      return true;
    }
    this.challenge(context, request, carried);
    throw new SessionRejectedError(verdict.reason);
  }

  /** Without `accept()`, a socket.io gateway seems to work, but its sockets stay open when the session is over. */
  private warnOfUnaccepted(context: ExecutionContext): void {
    if (this.warnedOfUnaccepted || context.getType() !== 'ws') return;
    if (isAccepted(context.switchToWs().getClient<object>())) return;
    this.warnedOfUnaccepted = true;
    new Logger('OneIdLogout').warn(
      `${context.getClass().name} guards its messages, but its sockets stay open after their session has ended: call ` +
        'SessionConnections.accept() in handleConnection()',
    );
  }

  /** GraphQL calls the guard for every guarded field: one check serves the whole operation. */
  private judgeOnce(context: ExecutionContext, request: SessionRequest): Promise<Judged> {
    const countsAsUse = this.judge.endsIdleSessions && this.countsAsUse(context);
    const operation = operationOf(context, request);
    if (operation === undefined) return this.judgeRequest(context, request, countsAsUse);
    const known = this.operations.get(operation);
    // an operation counts as a use if one of its fields does
    if (known?.request === request && (known.countsAsUse || !countsAsUse)) return known.judged;
    const judged = this.judgeRequest(context, request, countsAsUse);
    this.operations.set(operation, { request, countsAsUse, judged });
    return judged;
  }

  private async judgeRequest(
    context: ExecutionContext,
    request: SessionRequest,
    countsAsUse: boolean,
  ): Promise<Judged> {
    const carried = await this.judge.resolveSession(request, context);
    return { carried, verdict: await this.judge.judge(carried, countsAsUse) };
  }

  /** Clients open streams again by themselves, so even their opening says nothing of the user. */
  private countsAsUse(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    const isMarked = this.reflector.getAllAndOverride<boolean | undefined>(NOT_ACTIVITY, [handler, context.getClass()]);
    return !isMarked && !this.reflector.get<boolean | undefined>(SSE_METADATA, handler) && !isSubscription(context);
  }

  /** RFC 6750 §3: the `WWW-Authenticate` header tells a bearer client that its token is no longer valid. */
  private challenge(context: ExecutionContext, request: SessionRequest, carried: Carried | undefined): void {
    const { authorization } = request.headers;
    const bearer = typeof authorization === 'string' && /^bearer /i.test(authorization);
    if (!bearer && !(carried && carriesClaims(carried))) return;
    this.setHeader(
      context,
      'WWW-Authenticate',
      'Bearer error="invalid_token", error_description="The token has no live session"',
    );
  }

  private setHeader(context: ExecutionContext, name: string, value: string): void {
    if (context.getType() !== 'http') return;
    this.adapterHost.httpAdapter.setHeader(context.switchToHttp().getResponse(), name, value);
  }
}

function carriesClaims(carried: Carried): boolean {
  return 'length' in carried ? carried.flat().some((value) => 'claims' in value) : 'claims' in carried;
}
