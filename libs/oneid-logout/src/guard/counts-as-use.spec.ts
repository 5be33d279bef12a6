import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Sse } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { type Observable, of } from 'rxjs';
import { type GuardQuestions, SessionAliveGuard } from './session-alive.guard.js';
import { NotActivity } from './session.decorators.js';

class Routes {
  used(): string {
    return 'used';
  }

  @NotActivity()
  polled(): string {
    return 'polled';
  }

  @Sse()
  streamed(): Observable<object> {
    return of({});
  }
}

type Handler = () => unknown;

const { used, polled, streamed } = Routes.prototype as unknown as Readonly<Record<keyof Routes, Handler>>;

/** A guard with a judge that lets everything in, and what the guard told the judge of each check. */
function guardOf(endsIdleSessions = true) {
  const counted: (boolean | undefined)[] = [];
  const judge: GuardQuestions = {
    endsIdleSessions,
    requireResolvers: () => undefined,
    resolveSession: () => Promise.resolve({ sessionToken: 'any' }),
    judge: (_carried, countsAsUse) => {
      counted.push(countsAsUse);
      return Promise.resolve({ alive: { issuer: 'https://oneid.example/', iat: 1, registeredAt: 1000 } });
    },
  };
  const guard = new SessionAliveGuard(judge, new Reflector(), { httpAdapter: { setHeader: () => undefined } });
  return { guard, counted };
}

const http = (handler: Handler) => new ExecutionContextHost([{ headers: {} }, {}], Routes, handler);

/** A guarded field of a GraphQL operation. */
function field(handler: Handler, request: object, operation: 'query' | 'subscription', variableValues: object) {
  const context = new ExecutionContextHost(
    [{}, {}, { req: request }, { operation: { operation }, variableValues }],
    Routes,
    handler,
  );
  context.setType('graphql');
  return context;
}

describe('what counts as a use of a session', () => {
  it.each([
    ['a request', used, true],
    ['a request of a route with @NotActivity()', polled, false],
    ['a stream', streamed, false],
  ])('%s', async (_what, handler, counts) => {
    const { guard, counted } = guardOf();
    await guard.canActivate(http(handler));
    expect(counted).toEqual([counts]);
  });

  it.each([
    ['a query', 'query', true],
    ['a subscription', 'subscription', false],
  ] as const)('of GraphQL: %s', async (_what, operation, counts) => {
    const { guard, counted } = guardOf();
    await guard.canActivate(field(used, { headers: {} }, operation, {}));
    expect(counted).toEqual([counts]);
  });

  it.each([
    ['first', [used, polled, used], [true]],
    ['later', [polled, used, polled], [false, true]],
    ['never', [polled, polled], [false]],
  ])('a GraphQL operation if one of its fields does: %s', async (_when, handlers, expected) => {
    const { guard, counted } = guardOf();
    const [request, variables] = [{ headers: {} }, {}];
    for (const handler of handlers) await guard.canActivate(field(handler, request, 'query', variables));
    expect(counted).toEqual(expected);
  });

  it('nothing without maxIdleSeconds', async () => {
    const { guard, counted } = guardOf(false);
    await guard.canActivate(http(used));
    expect(counted).toEqual([false]);
  });
});
