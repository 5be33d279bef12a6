import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type DynamicModule, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Field, GraphQLModule, ObjectType, Query, ResolveField, Resolver, Subscription } from '@nestjs/graphql';
import { type MercuriusDriverConfig } from '@nestjs/mercurius';
import { createClient } from 'graphql-ws';
import {
  AllowAnonymous,
  CurrentSession,
  SessionAliveGuard,
  SessionConnections,
  type SessionFacts,
  type SessionRequest,
  type SocketClient,
  StoreUnavailableError,
} from 'nestjs-oneid-logout';
import { WebSocket } from 'ws';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { Host } from './support/host.js';
import { intercept } from './support/session-store.js';
import { until } from './support/until.js';

// it serves the pages of a user interface that is off here, and Jest can't load it: a require() of an ES module
jest.mock('@fastify/static', () => undefined);
const { MercuriusDriver } = await import('@nestjs/mercurius');

@ObjectType()
class User {
  @Field(() => String, { nullable: true })
  sub: string | undefined;
}

const userOf = (session: SessionFacts | undefined): User => ({ sub: session?.sub });

@Resolver(() => User)
class UserResolver {
  @Query(() => User)
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts): User {
    return userOf(session);
  }

  @Query(() => User)
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  visitor(@CurrentSession() session: SessionFacts | undefined): User {
    return userOf(session);
  }

  @ResolveField(() => String, { nullable: true })
  @UseGuards(SessionAliveGuard)
  secret(): string {
    return 'secret';
  }

  @Subscription(() => User, { resolve: (user: User) => user })
  @UseGuards(SessionAliveGuard)
  async *ticks(@CurrentSession() session: SessionFacts): AsyncGenerator<User> {
    for (;;) {
      yield userOf(session);
      await delay(20);
    }
  }

  @Subscription(() => User, { resolve: (user: User) => user })
  @UseGuards(SessionAliveGuard)
  async *news(@CurrentSession() session: SessionFacts): AsyncGenerator<User> {
    yield await Promise.resolve(userOf(session));
    await new Promise(() => undefined);
  }
}

/** Finds the session in a context that has no request. */
@Injectable()
class TokenGuard extends SessionAliveGuard {
  protected override getRequest(context: ExecutionContext): SessionRequest {
    const { token } = context.getArgByIndex<{ token: string }>(2);
    return { headers: { cookie: `session=${token}` } };
  }
}

@Resolver(() => User)
class TokenResolver {
  @Query(() => User)
  @UseGuards(TokenGuard)
  async me(@CurrentSession() session: SessionFacts): Promise<User> {
    return Promise.resolve(userOf(session));
  }

  /** Nest runs no guard before a field. */
  @ResolveField(() => String, { nullable: true })
  again(@CurrentSession() session: SessionFacts): string | undefined {
    return session.sub;
  }

  @Query(() => User)
  notGuarded(@CurrentSession() session: SessionFacts): User {
    return userOf(session);
  }
}

const drivers = [
  {
    driver: 'Apollo',
    adapter: 'express' as const,
    module: (): DynamicModule =>
      GraphQLModule.forRootAsync<ApolloDriverConfig>({
        driver: ApolloDriver,
        inject: [SessionConnections],
        useFactory: (connections: SessionConnections) => ({
          autoSchemaFile: true,
          subscriptions: {
            'graphql-ws': {
              onConnect: async ({ extra }: { extra: unknown }) => {
                const { socket, request } = extra as { socket: SocketClient; request: SessionRequest };
                return (await connections.accept(socket, request)) !== undefined;
              },
            },
          },
        }),
      }),
  },
  {
    driver: 'mercurius',
    adapter: 'fastify' as const,
    module: (): DynamicModule =>
      GraphQLModule.forRoot<MercuriusDriverConfig>({
        driver: MercuriusDriver,
        autoSchemaFile: true,
        subscription: true,
      }),
  },
];

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
}

describe("GraphQL with an app's own context", () => {
  let host: Host;
  afterEach(() => host.stop());

  async function me(session?: string): Promise<string> {
    const response = await host.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ me { sub } }' }),
      ...(session !== undefined && { session }),
    });
    const { data, errors } = (await response.json()) as Answer;
    return JSON.stringify(errors?.[0]?.message ?? data);
  }

  it("mercurius, one context object for all requests: no request gets another request's session", async () => {
    const context = { greeting: 'hello' };
    const module = GraphQLModule.forRoot<MercuriusDriverConfig>({
      ...{ driver: MercuriusDriver, autoSchemaFile: true },
      context: context as never,
    });
    host = await Host.start({ adapter: 'fastify', imports: [module], providers: [UserResolver] });
    const [alice, bob] = [await host.signIn(host.oneId.signIn({ sub: 'alice' })), await host.signIn()];
    expect(await me(alice.session)).toBe('{"me":{"sub":"alice"}}');
    const refused = expect.stringContaining('a new context for each request');
    expect([await me(bob.session), await me()]).toEqual([refused, refused]);
  });

  it("Apollo, the request that opened the socket: the guard refuses a subscription's fields when the session has ended", async () => {
    const module = GraphQLModule.forRoot<ApolloDriverConfig>({
      ...{ driver: ApolloDriver, autoSchemaFile: true, fieldResolverEnhancers: ['guards'] },
      subscriptions: { 'graphql-ws': true },
      context: ({ req, extra }: { req?: unknown; extra?: { request: unknown } }) => ({ req: extra?.request ?? req }),
    });
    host = await Host.start({ imports: [module], providers: [UserResolver] });
    const { session, sid } = await host.signIn();
    const log: string[] = [];
    const client = createClient({
      ...{ url: `${host.url.replace('http', 'ws')}/graphql`, retryAttempts: 0 },
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols, { headers: { cookie: `session=${session}` } });
        }
      },
    });
    const ignore = () => undefined;
    client.subscribe(
      { query: 'subscription { ticks { secret } }' },
      { next: (value) => log.push(JSON.stringify(value)), error: ignore, complete: ignore },
    );
    await until('an event comes', () => log.length > 0);
    expect(log[0]).toBe('{"data":{"ticks":{"secret":"secret"}}}');
    await host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
    await until('an event is refused', () => log.some((event) => event.includes('session_logged_out')));
    const since = log.findIndex((event) => event.includes('session_logged_out'));
    const events = log.length;
    await until('more events come', () => log.length > events + 1);
    expect(log.slice(since).filter((event) => event.includes('"secret":"secret"'))).toEqual([]);
    await client.dispose();
  });

  it.each<[string, (request: SessionRequest) => SessionRequest]>([
    ['the request that opened the socket', (request) => request],
    ['a request that the app has made of it', ({ headers: { cookie } }) => ({ headers: { cookie } })],
  ])(
    'Apollo, one context object for each socket, with %s: the guard refuses a query after the logout',
    async (_what, reqOf) => {
      type Extra = { readonly request: SessionRequest; req?: SessionRequest };
      const module = GraphQLModule.forRoot<ApolloDriverConfig>({
        ...{ driver: ApolloDriver, autoSchemaFile: true },
        subscriptions: {
          'graphql-ws': {
            onConnect: ({ extra }) => {
              const socket = extra as Extra;
              socket.req = reqOf(socket.request);
            },
          },
        },
        context: ({ req, extra }: { req?: unknown; extra?: Extra }) => extra ?? { req },
      });
      host = await Host.start({ imports: [module], providers: [UserResolver] });
      const { session, sid } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
      const client = createClient({
        ...{ url: `${host.url.replace('http', 'ws')}/graphql`, retryAttempts: 0, lazy: false },
        webSocketImpl: class extends WebSocket {
          constructor(url: string, protocols: string[]) {
            super(url, protocols, { headers: { cookie: `session=${session}` } });
          }
        },
      });
      const ask = async (): Promise<string> => {
        for await (const { data, errors } of client.iterate({ query: '{ me { sub } }' }))
          return JSON.stringify(errors?.[0]?.extensions?.['error'] ?? data);
        return 'no answer';
      };
      expect(await ask()).toBe('{"me":{"sub":"alice"}}');
      await host.oneId.deliver(
        `${host.url}/backchannel_logout`,
        await host.oneId.logoutToken({ clientId: 'app', sid }),
      );
      expect(await ask()).toBe('"session_logged_out"');
      await client.dispose();
    },
  );
});

const contextOf = ({ headers }: SessionRequest) => ({ token: String(headers['token']) });

const withoutRequest = [
  {
    driver: 'Apollo',
    adapter: 'express' as const,
    module: () =>
      GraphQLModule.forRoot<ApolloDriverConfig>({
        ...{ driver: ApolloDriver, autoSchemaFile: true },
        context: ({ req }: { req: SessionRequest }) => contextOf(req),
      }),
  },
  {
    driver: 'mercurius',
    adapter: 'fastify' as const,
    module: () =>
      GraphQLModule.forRoot<MercuriusDriverConfig>({
        ...{ driver: MercuriusDriver, autoSchemaFile: true },
        context: (request: SessionRequest) => contextOf(request),
      }),
  },
];

describe.each(withoutRequest)('GraphQL with $driver, without a request in the context', ({ adapter, module }) => {
  let host: Host;
  afterEach(() => host.stop());

  it('A7: a query and its fields get the session that a guard with getRequest() has found', async () => {
    host = await Host.start({ adapter, imports: [module()], providers: [TokenResolver, TokenGuard] });
    const ask = async (query: string, token: string) => {
      const headers = { 'content-type': 'application/json', token };
      const response = await host.fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) });
      const { data, errors } = (await response.json()) as Answer;
      return errors?.[0]?.message ?? data;
    };
    const users = await Promise.all(
      ['alice', 'bob'].map(async (sub) => ({ sub, ...(await host.signIn(host.oneId.signIn({ sub }))) })),
    );
    const all = [...users, ...users, ...users];
    expect(await Promise.all(all.map(({ session }) => ask('{ me { sub again } }', session)))).toEqual(
      all.map(({ sub }) => ({ me: { sub, again: sub } })),
    );
    expect(await ask('{ me { sub } notGuarded { sub } }', users[0]?.session ?? '')).toBe(
      'TokenResolver.notGuarded() uses @CurrentSession(), but no SessionAliveGuard has run before it. Add ' +
        '@UseGuards(SessionAliveGuard). In a unit test, put a StandInGuard of nestjs-oneid-logout/testing in its place.',
    );
  });
});

describe.each(drivers)('GraphQL with $driver', ({ adapter, module }) => {
  let host: Host;
  afterEach(() => host.stop());

  const start = async () => {
    host = await Host.start({ adapter, imports: [module()], providers: [UserResolver] });
  };

  async function query(text: string, session?: string): Promise<Answer> {
    const response = await host.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: text }),
      ...(session !== undefined && { session }),
    });
    return (await response.json()) as Answer;
  }

  const logOut = async (sid: string) =>
    host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));

  it('the guard finds the session, and refuses an ended session with a code and a reason', async () => {
    await start();
    const { session, sid } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    expect(await query('{ me { sub } }', session)).toEqual({ data: { me: { sub: 'alice' } } });
    await logOut(sid);
    const { errors } = await query('{ me { sub } }', session);
    expect(errors).toHaveLength(1);
    expect(errors?.[0]?.message).toBe('A logout has ended the session');
    expect(errors?.[0]?.extensions).toMatchObject({ error: 'session_logged_out', reason: 'logged_out' });
    expect(await query('{ visitor { sub } }', session)).toEqual({ data: { visitor: { sub: null } } });
  });

  it.each([
    ['missing', undefined],
    ['unknown', 'f'.repeat(64)],
  ])('gives the reason: %s', async (reason, session) => {
    await start();
    const { errors } = await query('{ me { sub } }', session);
    expect(errors?.[0]?.extensions).toMatchObject({ error: `session_${reason}`, reason });
  });

  it('P11: P20: refuses sessions of different users with ambiguous', async () => {
    await start();
    const signIn = (sub: string) => host.signIn(host.oneId.signIn({ sub }));
    const [alice, phone, bob] = [await signIn('alice'), await signIn('alice'), await signIn('bob')];
    const { errors } = await query('{ me { sub } }', `${alice.session}; session=${bob.session}`);
    expect(errors?.[0]?.extensions).toMatchObject({ error: 'session_ambiguous', reason: 'ambiguous' });
    const twice = `${alice.session}; session=${phone.session}`;
    expect(await query('{ me { sub } visitor { sub } }', twice)).toEqual({
      data: { me: { sub: 'alice' }, visitor: { sub: 'alice' } },
    });
  });

  it('answers store_unavailable when the store does not answer', async () => {
    await start();
    const { session } = await host.signIn();
    intercept(host.app.get(SessionDatabase, { strict: false }), () =>
      Promise.reject(new StoreUnavailableError('gone')),
    );
    const { errors } = await query('{ me { sub } }', session);
    expect(errors?.[0]?.extensions).toMatchObject({ error: 'store_unavailable' });
  });

  it('asks the database once for an operation with many guarded fields', async () => {
    await start();
    const { session } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    let asked = 0;
    intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
      asked += 1;
      return run(sql, parameters);
    });
    const user = { sub: 'alice' };
    expect(await query('{ a: me { sub } b: me { sub } c: visitor { sub } }', session)).toEqual({
      data: { a: user, b: user, c: user },
    });
    expect(asked).toBe(1);
    await query('{ me { sub } }', session);
    expect(asked).toBe(2);
  });

  function subscribe(session: string | undefined) {
    const log: unknown[] = [];
    const client = createClient({
      url: `${host.url.replace('http', 'ws')}/graphql`,
      retryAttempts: 0,
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols, { headers: session === undefined ? {} : { cookie: `session=${session}` } });
        }
      },
      on: { closed: (event) => log.push({ code: (event as { code: number }).code }) },
    });
    const stop = client.subscribe(
      { query: 'subscription { news { sub } }' },
      { next: (value) => log.push(value), error: (error) => log.push(error), complete: () => log.push('complete') },
    );
    return { log, stop, client };
  }

  it('a subscription finds the session of the request that opened its socket', async () => {
    await start();
    const { session } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    const { log, client } = subscribe(session);
    await until('an answer comes', () => log.length > 0);
    expect(log[0]).toEqual({ data: { news: { sub: 'alice' } } });
    await client.dispose();
  });

  if (adapter === 'express') {
    it('a subscription ends with its session', async () => {
      await start();
      const { session, sid } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
      const { log } = subscribe(session);
      await until('an answer comes', () => log.length > 0);
      expect(host.app.get(OpenConnections, { strict: false }).size).toBe(1);
      await logOut(sid);
      await until('it is closed', () => log.length > 1);
      expect(log).toContainEqual({ code: 4401 });
      expect(host.app.get(OpenConnections, { strict: false }).size).toBe(0);
    });

    it('opens no subscription without a session', async () => {
      await start();
      const { log } = subscribe(undefined);
      await until('it is closed', () => log.length > 0);
      expect(log).toContainEqual({ code: 4401 });
      expect(log).not.toContainEqual(expect.objectContaining({ data: expect.anything() }));
    });
  }
});
