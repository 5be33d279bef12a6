import { type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { findRequest, rememberOpening } from '../../guard/context-request.js';
import { type GuardQuestions, type HeaderSetter, SessionAliveGuard } from '../../guard/session-alive.guard.js';
import { type Carried, type Verdict } from '../../guard/session-judge.js';
import { type SessionRequest } from '../../guard/session-resolvers.js';
import { type RejectionReason, StoreUnavailableError } from '../../oneid-logout.errors.js';
import { type SessionFacts } from '../../rule/session.js';
import { standInSession } from './stand-in-session.js';

/**
 * Stands in for `SessionAliveGuard` in unit tests, without a database and without OneID. The test says which session
 * each request carries. Everything else is the real guard: `@CurrentSession()`, `@AllowAnonymous()`, and the errors with
 * their bodies, for HTTP, gateways, microservices and GraphQL.
 *
 * @example
 * ```ts
 * import { type Type } from '@nestjs/common';
 * import { Test } from '@nestjs/testing';
 * import { SessionAliveGuard } from 'nestjs-oneid-logout';
 * import { StandInGuard } from 'nestjs-oneid-logout/testing';
 *
 * export async function moduleWhoseUserIsLoggedOut(controller: Type) {
 *   const guard = new StandInGuard();
 *   const module = await Test.createTestingModule({ controllers: [controller] })
 *     .overrideGuard(SessionAliveGuard)
 *     .useValue(guard)
 *     .compile();
 *   guard.refuse('logged_out'); // from now on: 401 session_logged_out
 *   return module;
 * }
 * ```
 */
export class StandInGuard extends SessionAliveGuard {
  readonly #judge: StandInJudge;

  /** @param session the session of each request, see {@link standInSession} */
  constructor(session: SessionFacts = standInSession()) {
    const judge = new StandInJudge({ alive: session });
    super(judge, new Reflector(), responseItself);
    this.#judge = judge;
  }

  /** From now on, each request carries this session. */
  signIn(session: SessionFacts): void {
    this.#judge.answer = { alive: session };
  }

  /** From now on, no request carries a session: 401 `session_missing`, or anonymous with `@AllowAnonymous()`. */
  signOut(): void {
    this.refuse('missing');
  }

  /**
   * From now on, the guard refuses each request.
   *
   * @param reason the 401's `reason`, or `store_unavailable` for a 503
   */
  refuse(reason: RejectionReason | 'store_unavailable'): void {
    this.#judge.answer = { reason };
  }

  /** A unit test may have no request, and no gateway that called `accept()`. */
  protected override getRequest(context: ExecutionContext): SessionRequest {
    const request = findRequest(context) ?? { headers: {} };
    if (context.getType() === 'ws') rememberOpening(context.switchToWs().getClient<object>(), request);
    return request;
  }
}

/** Express and Fastify both set a header by `response.header()`. */
const responseItself: HeaderSetter = {
  httpAdapter: {
    setHeader: (response: { header?: (name: string, value: string) => unknown }, name: string, value: string) => {
      response.header?.(name, value);
    },
  },
};

/** Gives the answer that the test has chosen. */
class StandInJudge implements GuardQuestions {
  constructor(public answer: Verdict | { readonly reason: 'store_unavailable' }) {}

  /** The test itself says which sessions are idle. */
  readonly endsIdleSessions = false;

  requireResolvers(): void {
    // a unit test has no option sessionFrom
  }

  resolveSession(): Promise<Carried | undefined> {
    const missing = 'reason' in this.answer && this.answer.reason === 'missing';
    return Promise.resolve(missing ? undefined : { sessionToken: 'of the stand-in' });
  }

  judge(): Promise<Verdict> {
    const { answer } = this;
    if ('alive' in answer) return Promise.resolve(answer);
    const { reason } = answer;
    return reason === 'store_unavailable'
      ? Promise.reject(new StoreUnavailableError(new Error('The test has made the store unavailable')))
      : Promise.resolve({ reason });
  }
}
