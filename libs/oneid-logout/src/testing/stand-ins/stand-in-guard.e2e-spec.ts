import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, type INestApplication, Injectable, Logger, Module, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Field, GraphQLModule, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { ClientTCP, MessagePattern, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Test } from '@nestjs/testing';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { AllowAnonymous, CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { firstValueFrom } from 'rxjs';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { freePort } from '../../../../../test/support/postgres.mjs';
import { StandInGuard, standInSession } from '../index.js';

@Controller()
@UseGuards(SessionAliveGuard)
class GuardedController {
  @Get('me')
  me(@CurrentSession() session: SessionFacts): SessionFacts {
    return session;
  }

  @Get('open')
  @AllowAnonymous()
  open(@CurrentSession() session: SessionFacts | undefined): object {
    return { sub: session?.sub ?? null };
  }

  @Get('home')
  @AllowAnonymous({ deadSession: 'anonymous' })
  home(@CurrentSession() session: SessionFacts | undefined): object {
    return { sub: session?.sub ?? null };
  }
}

@Controller()
class GloballyGuardedController {
  @Get('me')
  me(@CurrentSession() session: SessionFacts): SessionFacts {
    return session;
  }
}

@Injectable()
class MessageGuard extends SessionAliveGuard {}

@Controller()
class MessageController {
  @MessagePattern('who')
  @UseGuards(MessageGuard)
  who(@CurrentSession() session: SessionFacts): string | undefined {
    return session.sub;
  }
}

@WebSocketGateway({ path: '/socket' })
class Gateway {
  @SubscribeMessage('who')
  @UseGuards(SessionAliveGuard)
  who(@CurrentSession() session: SessionFacts): object {
    return { event: 'you', data: session.sub };
  }
}

@ObjectType()
class User {
  @Field(() => String, { nullable: true })
  sub: string | undefined;
}

@Resolver(() => User)
class UserResolver {
  @Query(() => User)
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts): User {
    return { sub: session.sub };
  }
}

const rejections = [
  ['logged_out', 'A logout has ended the session'],
  ['expired', 'The session has expired'],
  ['idle', 'The session was not used for too long'],
  ['unknown', 'The session is unknown'],
  ['missing', 'The request carries no session'],
  ['ambiguous', 'The request carries sessions of different users, or too many sessions'],
] as const;

describe('A10: StandInGuard', () => {
  let app: INestApplication | undefined;
  afterEach(() => app?.close());

  async function listen(started: INestApplication): Promise<string> {
    app = started;
    app.useLogger(false);
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  }

  async function startHttp(guard: StandInGuard): Promise<string> {
    const module = await Test.createTestingModule({ controllers: [GuardedController] })
      .overrideGuard(SessionAliveGuard)
      .useValue(guard)
      .compile();
    return listen(module.createNestApplication());
  }

  it('gives its session to the handler, without a database and without OneID', async () => {
    const session = standInSession({ sub: 'bob' });
    const guard = new StandInGuard(session);
    const url = await startHttp(guard);
    expect(await (await fetch(`${url}/me`)).json()).toEqual(session);
    const other = standInSession();
    guard.signIn(other);
    expect(await (await fetch(`${url}/me`)).json()).toEqual(other);
  });

  it('a session without other facts is of alice, is new and lasts an hour', () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_700_000_000_999);
    expect(standInSession()).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      issuer: 'https://oneid.example/',
      clientId: 'app',
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      sub: 'alice',
      iat: 1_700_000_000,
      registeredAt: 1_700_000_000_999,
      expiresAt: 1_700_003_600_999,
    });
    jest.restoreAllMocks();
    expect(standInSession().id).not.toBe(standInSession().id);
  });

  it.each(rejections)("refuses with the real guard's answer: %s", async (reason, message) => {
    const guard = new StandInGuard();
    const url = await startHttp(guard);
    guard.refuse(reason);
    const response = await fetch(`${url}/me`);
    expect([response.status, await response.json()]).toEqual([
      401,
      { statusCode: 401, error: `session_${reason}`, message, reason },
    ]);
    expect(response.headers.get('www-authenticate')).toBeNull();
  });

  it('answers 503 when the store is unavailable, and tells a bearer client that its token is not valid', async () => {
    const guard = new StandInGuard();
    const url = await startHttp(guard);
    guard.refuse('store_unavailable');
    const unavailable = await fetch(`${url}/me`);
    expect([unavailable.status, unavailable.headers.get('retry-after'), await unavailable.json()]).toEqual([
      503,
      '5',
      { statusCode: 503, error: 'store_unavailable', message: 'The session store is not available, try again' },
    ]);
    guard.refuse('logged_out');
    const bearer = await fetch(`${url}/me`, { headers: { authorization: 'Bearer token' } });
    expect([bearer.status, bearer.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer error="invalid_token", error_description="The token has no live session"',
    ]);
  });

  it('treats @AllowAnonymous() as the real guard does', async () => {
    const guard = new StandInGuard();
    const url = await startHttp(guard);
    const answers = async () =>
      Promise.all(
        ['/open', '/home'].map(async (path) => {
          const response = await fetch(url + path);
          return [response.status, ((await response.json()) as { sub?: unknown }).sub];
        }),
      );
    expect(await answers()).toEqual([
      [200, 'alice'],
      [200, 'alice'],
    ]);
    guard.signOut();
    expect(await answers()).toEqual([
      [200, null],
      [200, null],
    ]);
    guard.refuse('logged_out');
    expect(await answers()).toEqual([
      [401, undefined],
      [200, null],
    ]);
  });

  it('stands in for a global guard', async () => {
    const session = standInSession();
    const direct = await Test.createTestingModule({
      controllers: [GloballyGuardedController],
      providers: [{ provide: APP_GUARD, useValue: new StandInGuard(session) }],
    }).compile();
    const url = await listen(direct.createNestApplication());
    expect(await (await fetch(`${url}/me`)).json()).toEqual(session);
    await app?.close();

    @Module({
      controllers: [GloballyGuardedController],
      providers: [SessionAliveGuard, { provide: APP_GUARD, useExisting: SessionAliveGuard }],
    })
    class AppModule {}
    const guard = new StandInGuard(session);
    const overridden = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(SessionAliveGuard)
      .useValue(guard)
      .compile();
    const again = await listen(overridden.createNestApplication());
    expect(await (await fetch(`${again}/me`)).json()).toEqual(session);
    guard.refuse('expired');
    expect((await fetch(`${again}/me`)).status).toBe(401);
  });

  it('stands in for an own guard of a microservice, which then needs no getRequest()', async () => {
    const guard = new StandInGuard();
    const module = await Test.createTestingModule({ controllers: [MessageController] })
      .overrideGuard(MessageGuard)
      .useValue(guard)
      .compile();
    const options = { host: '127.0.0.1', port: await freePort() };
    const started = module.createNestApplication();
    started.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
    await listen(started);
    await started.startAllMicroservices();
    const client = new ClientTCP(options);
    const who = () => firstValueFrom(client.send<unknown>('who', 'text'));
    expect(await who()).toBe('alice');
    guard.refuse('logged_out');
    await expect(who()).rejects.toEqual({
      ...{ status: 'error', statusCode: 401, error: 'session_logged_out' },
      ...{ message: 'A logout has ended the session', reason: 'logged_out' },
    });
    client.close();
  });

  const exception = {
    event: 'exception',
    data: expect.objectContaining({ status: 'error', error: 'session_expired', reason: 'expired' }) as unknown,
  };

  async function startGateway(guard: StandInGuard, adapter: (app: INestApplication) => IoAdapter | WsAdapter) {
    const module = await Test.createTestingModule({ providers: [Gateway] })
      .overrideGuard(SessionAliveGuard)
      .useValue(guard)
      .compile();
    const started = module.createNestApplication();
    started.useWebSocketAdapter(adapter(started));
    return listen(started);
  }

  it('stands in in a gateway of ws that does not accept its sockets, without a warning', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const guard = new StandInGuard();
    const url = await startGateway(guard, (started) => new WsAdapter(started));
    const client = new WebSocket(`${url.replace('http', 'ws')}/socket`);
    const answer = () =>
      new Promise((resolve) => {
        client.once('message', (data: Buffer) => resolve(JSON.parse(data.toString())));
        client.send(JSON.stringify({ event: 'who', data: {} }));
      });
    await new Promise((resolve) => client.once('open', resolve));
    expect(await answer()).toEqual({ event: 'you', data: 'alice' });
    guard.refuse('expired');
    expect(await answer()).toEqual(exception);
    client.terminate();
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it('stands in in a gateway of socket.io', async () => {
    const guard = new StandInGuard();
    const url = await startGateway(guard, (started) => new IoAdapter(started));
    const client = io(url, { path: '/socket', transports: ['websocket'] });
    const answer = () =>
      new Promise((resolve) => {
        client.onAny((event: string, data: unknown) => {
          client.offAny();
          resolve({ event, data });
        });
        client.emit('who');
      });
    expect(await answer()).toEqual({ event: 'you', data: 'alice' });
    guard.refuse('expired');
    expect(await answer()).toEqual(exception);
    client.close();
  });

  it('stands in in GraphQL', async () => {
    const guard = new StandInGuard();
    const module = await Test.createTestingModule({
      imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
      providers: [UserResolver],
    })
      .overrideGuard(SessionAliveGuard)
      .useValue(guard)
      .compile();
    const url = await listen(module.createNestApplication());
    const me = async () => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ query: '{ me { sub } }' });
      return (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json();
    };
    expect(await me()).toEqual({ data: { me: { sub: 'alice' } } });
    guard.refuse('logged_out');
    expect(await me()).toMatchObject({
      errors: [
        {
          message: 'A logout has ended the session',
          extensions: { error: 'session_logged_out', reason: 'logged_out' },
        },
      ],
    });
  });
});
