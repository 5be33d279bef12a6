import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type ExecutionContext, type INestApplication, Injectable, Logger, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  type WsResponse,
} from '@nestjs/websockets';
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
import { type Server, type ServerOptions, type Socket as ServerSocket } from 'socket.io';
import { io, type Socket as IoClient } from 'socket.io-client';
import { WebSocket } from 'ws';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { nodeNotice } from '../libs/oneid-logout/src/node-notice.js';
import { Host } from './support/host.js';
import { intercept } from './support/session-store.js';
import { until } from './support/until.js';

/** A gateway that awaits other work before accept(). */
@WebSocketGateway({ path: '/socket' })
class SlowGateway implements OnGatewayConnection {
  accepted = 0;

  constructor(private readonly connections: SessionConnections) {}

  async handleConnection(client: SocketClient, request?: SessionRequest): Promise<void> {
    await delay(100);
    await this.connections.accept(client, request);
    this.accepted += 1;
  }
}

/** The messages that reached a handler without a guard. */
let heard: string[] = [];

@WebSocketGateway({ path: '/socket' })
class Gateway implements OnGatewayConnection {
  constructor(private readonly connections: SessionConnections) {}

  async handleConnection(client: SocketClient, request?: SessionRequest): Promise<void> {
    await this.connections.accept(client, request);
  }

  @SubscribeMessage('who')
  @UseGuards(SessionAliveGuard)
  who(@CurrentSession() session: SessionFacts): WsResponse<unknown> {
    return { event: 'you', data: session.sub };
  }

  @SubscribeMessage('maybe')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  maybe(@CurrentSession() session: SessionFacts | undefined): WsResponse<unknown> {
    return { event: 'you', data: session?.sub ?? 'nobody' };
  }

  @SubscribeMessage('say')
  say(@MessageBody() text: string): void {
    heard.push(text);
  }
}

/** Finds the session in each message. */
@Injectable()
class MessageGuard extends SessionAliveGuard {
  protected override getRequest(context: ExecutionContext): SessionRequest {
    const { session } = context.switchToWs().getData<{ session: string }>();
    return { headers: { cookie: `session=${session}` } };
  }
}

@WebSocketGateway({ path: '/socket' })
class MessageGateway extends Gateway {
  @SubscribeMessage('sender')
  @UseGuards(MessageGuard)
  sender(@CurrentSession() session: SessionFacts): WsResponse<unknown> {
    return { event: 'you', data: session.sub };
  }

  @SubscribeMessage('not guarded')
  notGuarded(@CurrentSession() session: SessionFacts): WsResponse<unknown> {
    return { event: 'you', data: session.sub };
  }
}

/** A gateway that does not call accept(). */
@WebSocketGateway({ path: '/socket' })
class ForgetfulGateway {
  @SubscribeMessage('who')
  @UseGuards(SessionAliveGuard)
  who(@CurrentSession() session: SessionFacts): WsResponse<unknown> {
    return { event: 'you', data: session.sub };
  }
}

interface TestSocket {
  send(event: string, data?: unknown): void;
  /** The received messages, and the close event. */
  readonly log: unknown[];
  readonly ended: () => boolean;
  readonly opened: () => boolean;
  close(): void;
}

type Connect = (url: string, session: string | undefined) => TestSocket;

const withWs: Connect = (url, session) => {
  const client = new WebSocket(`${url.replace('http', 'ws')}/socket`, {
    headers: session === undefined ? {} : { cookie: `session=${session}` },
  });
  const opened = once(client, 'open');
  opened.catch(() => undefined);
  const log: unknown[] = [];
  client.on('message', (data: Buffer) => log.push(JSON.parse(data.toString())));
  client.on('close', (code, reason) => log.push({ code, reason: reason.toString() }));
  client.on('error', (error) => log.push(error.message));
  const send = (event: string, data?: unknown) => {
    const text = JSON.stringify({ event, data });
    void opened.then(
      () => client.send(text),
      () => undefined,
    );
  };
  return {
    ...{ send, log, close: () => client.terminate() },
    ended: () => client.readyState === WebSocket.CLOSED,
    opened: () => client.readyState === WebSocket.OPEN,
  };
};

const withSocketIo: Connect = (url, session) => {
  const client: IoClient = io(url, {
    path: '/socket',
    transports: ['websocket'],
    reconnection: false,
    extraHeaders: session === undefined ? {} : { cookie: `session=${session}` },
  });
  const log: unknown[] = [];
  let ended = false;
  client.onAny((event: string, data: unknown) => log.push({ event, data }));
  client.on('disconnect', () => (ended = true));
  return {
    ...{ log, ended: () => ended, opened: () => client.connected },
    send: (event, data) => client.emit(event, data),
    close: () => client.close(),
  };
};

const libraries = [
  {
    library: 'ws',
    connect: withWs,
    adapter: (app: INestApplication) => new WsAdapter(app),
    over: (reason: string) => ({ code: reason === 'out_of_sync' ? 1013 : 4401, reason }),
  },
  {
    library: 'socket.io',
    connect: withSocketIo,
    adapter: (app: INestApplication) => new IoAdapter(app),
    over: (reason: string) => ({ event: 'session_over', data: { reason } }),
  },
] as const;

describe.each(libraries)('sockets of $library', ({ connect, adapter, over }) => {
  let host: Host;
  let sockets: TestSocket[] = [];
  afterEach(async () => {
    for (const socket of sockets) socket.close();
    [sockets, heard] = [[], []];
    await host.stop();
  });

  async function start(gateway: new (...parameters: never[]) => object = Gateway): Promise<void> {
    host = await Host.start({
      providers: [gateway, MessageGuard],
      configure: (app) => void app.useWebSocketAdapter(adapter(app)),
    });
  }

  function open(session: string | undefined): TestSocket {
    const socket = connect(host.url, session);
    sockets.push(socket);
    return socket;
  }

  const logOut = async (sid: string) =>
    host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
  const connections = () => host.app.get(OpenConnections, { strict: false });

  it('A7: each of several messages at the same time gets the session that its guard has found', async () => {
    await start(MessageGateway);
    const [alice, bob] = [await host.signIn(host.oneId.signIn({ sub: 'alice' })), await host.signIn()];
    const users = [alice, bob, alice, bob, bob].map(({ session }) => session);
    const socket = open(alice.session);
    for (const session of users) socket.send('sender', { session });
    await until('all answers come', () => socket.log.length >= users.length);
    const bobs = socket.log.map((message) => (message as { data: string }).data).filter((sub) => sub !== 'alice');
    expect([socket.log.length, bobs.length, new Set(bobs).size]).toEqual([5, 3, 1]);
  });

  it.each([
    ['an object', {}],
    ['text', 'text'],
    ['nothing', undefined],
  ])('A7: a handler without guard gets an error, also after a guarded message: %s', async (_what, data) => {
    await start(MessageGateway);
    const { session } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const socket = open(session);
    socket.send('who', data);
    await until('an answer comes', () => socket.log.length > 0);
    socket.send('not guarded', data);
    await until('an error comes', () => socket.log.length > 1);
    expect(socket.log).toEqual([
      { event: 'you', data: 'alice' },
      {
        event: 'exception',
        data: expect.objectContaining({ status: 'error', message: 'Internal server error' }) as unknown,
      },
    ]);
    expect(String(error.mock.calls[0]?.[0])).toBe(
      'Error: MessageGateway.notGuarded() uses @CurrentSession(), but no SessionAliveGuard has run before it. Add ' +
        '@UseGuards(SessionAliveGuard). In a unit test, put a StandInGuard of nestjs-oneid-logout/testing in its place.',
    );
    error.mockRestore();
  });

  it("the guard finds the session of a gateway's message, and refuses an ended session", async () => {
    await start();
    const { session } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    const socket = open(session);
    socket.send('who');
    await until('an answer comes', () => socket.log.length > 0);
    expect(socket.log).toEqual([{ event: 'you', data: 'alice' }]);
    // a message during the logout; the socket itself is not closed yet
    connections().add = () => () => undefined;
    const second = open(session);
    second.send('who');
    await until('an answer comes', () => second.log.length > 0);
    const database = host.app.get(SessionDatabase, { strict: false });
    await database.run('DELETE FROM oneid_session');
    second.send('who');
    await until('an answer comes', () => second.log.length > 1);
    expect(second.log[1]).toEqual({
      event: 'exception',
      data: {
        status: 'error',
        statusCode: 401,
        error: 'session_unknown',
        message: 'The session is unknown',
        reason: 'unknown',
      },
    });
    second.send('maybe');
    await until('an answer comes', () => second.log.length > 2);
    expect(second.log[2]).toEqual({ event: 'you', data: 'nobody' });
  });

  it('are closed when OneID ends their session, and other sockets stay open', async () => {
    await start();
    const [alice, bob] = [await host.signIn(), await host.signIn(host.oneId.signIn({ sub: 'bob' }))];
    const [socket, other] = [open(alice.session), open(bob.session)];
    for (const each of [socket, other]) each.send('who');
    await until('both are open', () => socket.log.length > 0 && other.log.length > 0);
    await logOut(alice.sid);
    await until('it is closed', socket.ended);
    expect(socket.log.slice(1)).toEqual([over('logged_out')]);
    other.send('who');
    await until('the other is answered', () => other.log.length > 1);
    expect(other.log[1]).toEqual({ event: 'you', data: 'bob' });
    expect(connections().size).toBe(1);
  });

  it('are closed when their session expires', async () => {
    await start();
    const { session } = await host.signIn();
    const socket = open(session);
    socket.send('who');
    await until('it is open', () => socket.log.length > 0);
    host.clock.advance(31 * 24 * 60 * 60 * 1000);
    await connections().wake();
    await until('it is closed', socket.ended);
    expect(socket.log[1]).toEqual(over('expired'));
    expect(connections().size).toBe(0);
  });

  it('P11: P20: are not opened for sessions of different users, and close when one of two sessions ends', async () => {
    await start();
    const signIn = (sub: string) => host.signIn(host.oneId.signIn({ sub }));
    const [alice, phone, bob] = [await signIn('alice'), await signIn('alice'), await signIn('bob')];
    const mixed = open(`${alice.session}; session=${bob.session}`);
    mixed.send('say', 'hello');
    await until('it is closed', mixed.ended);
    expect(mixed.log).toEqual([over('ambiguous')]);
    expect(heard).toEqual([]);
    const socket = open(`${'f'.repeat(64)}; session=${alice.session}; session=${phone.session}`);
    socket.send('who');
    await until('it is open', () => socket.log.length > 0);
    await logOut(phone.sid);
    await until('it is closed', socket.ended);
    expect(socket.log).toEqual([{ event: 'you', data: 'alice' }, over('logged_out')]);
    expect(connections().size).toBe(0);
  });

  it.each([
    ['missing', undefined],
    ['unknown', 'f'.repeat(64)],
  ])('are not opened without an alive session: %s', async (reason, session) => {
    await start();
    const socket = open(session);
    for (let n = 0; n < 20; n++) socket.send('say', 'hello');
    await until('it is closed', socket.ended);
    expect(socket.log).toEqual([over(reason)]);
    expect(heard).toEqual([]);
    expect(connections().size).toBe(0);
  });

  it('let no message through before the session is checked', async () => {
    await start();
    const { session } = await host.signIn();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let asked = false;
    intercept(host.app.get(SessionDatabase, { strict: false }), async (run, sql, parameters) => {
      asked = true;
      await held;
      return run(sql, parameters);
    });
    const socket = open(session);
    socket.send('say', 'early');
    await until('the store is asked', () => asked);
    // enough time for the message to arrive, if the gateway let it through
    for (let n = 0; n < 5; n++) expect((await host.fetch('/open')).status).toBe(200);
    expect(heard).toEqual([]);
    release();
    await until('it is heard', () => heard.length > 0);
    expect(heard).toEqual(['early']);
  });

  it('are closed with the reason out_of_sync when the store does not answer', async () => {
    await start();
    const { session } = await host.signIn();
    intercept(host.app.get(SessionDatabase, { strict: false }), () =>
      Promise.reject(new StoreUnavailableError('gone')),
    );
    const socket = open(session);
    socket.send('say', 'hello');
    await until('it is closed', socket.ended);
    expect(socket.log).toEqual([over('out_of_sync')]);
    expect(heard).toEqual([]);
  });

  it('are forgotten when the client disconnects', async () => {
    await start();
    const { session } = await host.signIn();
    const socket = open(session);
    socket.send('who');
    await until('it is open', () => connections().size === 1);
    socket.close();
    await until('it is forgotten', () => connections().size === 0);
  });

  it('are not remembered when the client disconnects before accept()', async () => {
    await start(SlowGateway);
    const { session } = await host.signIn();
    const gateway = host.app.get(SlowGateway);
    for (let n = 1; n <= 3; n++) {
      const socket = open(session);
      await until('it is open', socket.opened);
      socket.close();
    }
    await until('they are accepted', () => gateway.accepted === 3);
    expect(connections().size).toBe(0);
  });

  it('a gateway without accept() answers with an error, and never with a user', async () => {
    await start(ForgetfulGateway);
    const { session } = await host.signIn(host.oneId.signIn({ sub: 'alice' }));
    const socket = open(session);
    socket.send('who');
    await until('an answer comes', () => socket.log.length > 0);
    // socket.io keeps the request by itself
    const expected =
      connect === withSocketIo
        ? { event: 'you', data: 'alice' }
        : {
            event: 'exception',
            data: expect.objectContaining({ status: 'error', message: 'Internal server error' }),
          };
    expect(socket.log).toEqual([expected]);
  });

  it('a gateway without the option sessionFrom accepts no socket, and logs the reason', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    host = await Host.start({
      providers: [Gateway],
      options: { sessionFrom: [] },
      configure: (app) => void app.useWebSocketAdapter(adapter(app)),
    });
    const socket = open('f'.repeat(64));
    socket.send('say', 'hello');
    await until('it is closed', socket.ended);
    expect(heard).toEqual([]);
    expect(error.mock.calls.map(([message]) => String(message))).toEqual([
      'Could not accept a socket and closed it: Error: SessionAliveGuard cannot find any session: set the option ' +
        'sessionFrom of OneIdLogoutModule',
    ]);
    error.mockRestore();
  });
});

it('with socket.io, the log warns once about a guarded gateway without accept()', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const host = await Host.start({
    providers: [ForgetfulGateway],
    configure: (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
  });
  const { session } = await host.signIn();
  const socket = withSocketIo(host.url, session);
  for (let n = 0; n < 2; n++) socket.send('who');
  await until('it is answered', () => socket.log.length === 2);
  socket.close();
  expect(warn.mock.calls.filter(([message]) => message !== nodeNotice())).toEqual([
    [
      'ForgetfulGateway guards its messages, but its sockets stay open after their session has ended: call ' +
        'SessionConnections.accept() in handleConnection()',
    ],
  ]);
  warn.mockRestore();
  await host.stop();
});

it.each(['disconnecting', 'disconnect'] as const)(
  'P40: with socket.io, a listener of %s that throws keeps no socket open',
  async (event) => {
    @WebSocketGateway({ path: '/socket' })
    class FailingGateway implements OnGatewayConnection {
      @WebSocketServer() readonly server!: Server;
      accepted = 0;

      constructor(private readonly connections: SessionConnections) {}

      async handleConnection(client: ServerSocket): Promise<void> {
        await this.connections.accept(client);
        client.on(event, () => {
          throw new Error('the app failed');
        });
        this.accepted += 1;
      }
    }
    const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const host = await Host.start({
      providers: [FailingGateway],
      configure: (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
    });
    const { session, sid } = await host.signIn();
    const sockets = [withSocketIo(host.url, session), withSocketIo(host.url, session)];
    const gateway = host.app.get(FailingGateway);
    await until('both are accepted', () => gateway.accepted === 2);
    await host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
    await until('both are closed', () => sockets.every((socket) => socket.ended()));
    await until('no connection is left', () => gateway.server.engine.clientsCount === 0);
    expect(gateway.server.sockets.sockets.size).toBe(0);
    expect(sockets.map((socket) => socket.log)).toEqual([
      [{ event: 'session_over', data: { reason: 'logged_out' } }],
      [{ event: 'session_over', data: { reason: 'logged_out' } }],
    ]);
    const logged = log.mock.calls.map(([message]) => String(message));
    log.mockRestore();
    await host.stop();
    const failed = 'A listener of a socket failed while the socket was closed: the app failed';
    expect(logged).toEqual([failed, failed]);
  },
);

describe('socket.io clients that send many messages before they are accepted', () => {
  /** Three of them fit into the memory of a socket. */
  const LONG = 'x'.repeat(300_000);

  let host: Host;
  let release: () => void;
  let sockets: TestSocket[];
  beforeEach(async () => {
    host = await Host.start({
      providers: [Gateway],
      configure: (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
    });
    const held = new Promise<void>((resolve) => (release = resolve));
    sockets = [];
    heard = [];
    intercept(host.app.get(SessionDatabase, { strict: false }), async (run, sql, parameters) => {
      if (sockets.length > 0) await held;
      return run(sql, parameters);
    });
  });
  afterEach(async () => {
    release();
    for (const socket of sockets) socket.close();
    heard = [];
    await host.stop();
  });

  function open(session: string): TestSocket {
    const socket = withSocketIo(host.url, session);
    sockets.push(socket);
    return socket;
  }
  const ended = () => sockets.filter((socket) => socket.ended()).length;

  it('S19: a socket is closed when its packets take more than 1 MiB, and none of them is heard', async () => {
    const { session } = await host.signIn();
    const [greedy, modest] = [open(session), open(session)];
    for (let n = 0; n < 3; n++) modest.send('say', LONG);
    for (let n = 0; n < 20; n++) greedy.send('say', LONG);
    await until('it is closed', greedy.ended);
    expect(greedy.log).toEqual([]);
    release();
    await until('the other is heard', () => heard.length === 3);
    modest.send('say', 'later');
    await until('it is heard', () => heard.length === 4);
    expect(heard).toEqual([LONG, LONG, LONG, 'later']);
    expect(ended()).toBe(1);
  });

  it('S19: a socket may send many small packets', async () => {
    const { session } = await host.signIn();
    const socket = open(session);
    for (let n = 0; n < 100; n++) socket.send('say', String(n));
    await until('it is open', socket.opened);
    // enough time for the packets to arrive
    for (let n = 0; n < 5; n++) expect((await host.fetch('/open')).status).toBe(200);
    expect(heard).toEqual([]);
    release();
    await until('all are heard', () => heard.length === 100);
    expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
  });

  it('S19: sockets are closed when the packets of all of them take more than 32 MiB', async () => {
    const { session } = await host.signIn();
    for (let n = 0; n < 60; n++) {
      const socket = open('f'.repeat(64));
      for (let packet = 0; packet < 3; packet++) socket.send('say', LONG);
    }
    // 37 times 900 kB fit
    await until('23 are closed', () => ended() >= 23);
    release();
    await until('all are closed', () => ended() === 60);
    expect(heard).toEqual([]);
    // the memory is free again
    const accepted = open(session);
    for (let n = 0; n < 3; n++) accepted.send('say', LONG);
    await until('it is heard', () => heard.length === 3);
  });

  it('S19: a closed socket frees its memory at once, and not only when the store answers', async () => {
    const { session } = await host.signIn();
    for (let n = 0; n < 50; n++) {
      const socket = open('f'.repeat(64));
      for (let packet = 0; packet < 4; packet++) socket.send('say', LONG);
      await until('it is closed', socket.ended);
    }
    const socket = open(session);
    for (let n = 0; n < 3; n++) socket.send('say', LONG);
    await until('it is open', socket.opened);
    release();
    await until('it is heard', () => heard.length === 3);
  });
});

describe('socket.io clients that come back with connectionStateRecovery', () => {
  /** A gateway that puts its sockets into a room. */
  @WebSocketGateway({ path: '/socket' })
  class RoomGateway implements OnGatewayConnection {
    @WebSocketServer() server!: Server;
    accepts = true;

    constructor(private readonly connections: SessionConnections) {}

    async handleConnection(client: ServerSocket): Promise<void> {
      const session = this.accepts ? await this.connections.accept(client) : undefined;
      if (session === undefined && this.accepts) return;
      if (!client.recovered) await client.join('news');
      this.server.to('news').emit('joined');
    }
  }

  class RecoveringAdapter extends IoAdapter {
    override createIOServer(port: number, options?: ServerOptions): Server {
      const connectionStateRecovery = { maxDisconnectionDuration: 120_000, skipMiddlewares: true };
      return super.createIOServer(port, { ...options, connectionStateRecovery } as ServerOptions);
    }
  }

  let host: Host;
  let gateway: RoomGateway;
  let clients: IoClient[];
  beforeEach(async () => {
    clients = [];
    host = await Host.start({
      providers: [RoomGateway],
      configure: (app) => void app.useWebSocketAdapter(new RecoveringAdapter(app)),
    });
    gateway = host.app.get(RoomGateway);
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await host.stop();
  });

  /** Connects, and waits for the first event: a client without one cannot recover. */
  async function connect(session: string) {
    const client = io(host.url, {
      path: '/socket',
      transports: ['websocket'],
      reconnection: false,
      extraHeaders: { cookie: `session=${session}` },
    });
    clients.push(client);
    const log: unknown[] = [];
    // every event that reaches the machine, also before the client is connected
    client.io.on('packet', ({ data }: { data?: unknown }) => {
      // of its two kinds of packet, only an event has a list; socket.io adds the packet's id, of seven characters
      if (Array.isArray(data)) log.push((data as unknown[]).filter((part) => !/^[\w-]{7}$/.test(String(part))));
    });
    await until('it is in the room', () => log.length > 0);
    expect(log.splice(0)).toEqual([['joined']]);
    return { client, log };
  }

  /** The network drops. @returns when the server has noticed */
  async function drop(client: IoClient): Promise<void> {
    client.io.engine.close();
    await until('the server has noticed', () => gateway.server.sockets.sockets.size === 0);
  }

  const logOut = async (sid: string) =>
    host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
  const connections = () => host.app.get(OpenConnections, { strict: false });

  it('P18: a recovered socket receives no event that the server emitted after the logout of its session', async () => {
    const { session, sid } = await host.signIn();
    const { client, log } = await connect(session);
    await drop(client);
    gateway.server.to('news').emit('before');
    await logOut(sid);
    expect((await host.fetch('/me', { session })).status).toBe(401);
    gateway.server.to('news').emit('secret');
    gateway.server.emit('secret');
    client.connect();
    await until('it is closed', () => log.length > 0 && !client.connected);
    gateway.server.to('news').emit('secret');
    expect(log).toEqual([['session_over', { reason: 'logged_out' }]]);
    expect(client.recovered).toBe(false);
    expect(connections().size).toBe(0);
  });

  it('P18: gets what it has missed while its session is alive, also twice, and is closed by a later logout', async () => {
    const { session, sid } = await host.signIn();
    const { client, log } = await connect(session);
    for (const text of ['one', 'two']) {
      await drop(client);
      gateway.server.to('news').emit('missed', text);
      client.connect();
      await until('it is back', () => connections().size === 1 && log.length === 2);
      expect([log.splice(0), client.recovered]).toEqual([[['missed', text], ['joined']], true]);
    }
    await logOut(sid);
    await until('it is closed', () => !client.connected);
    expect(log).toEqual([['session_over', { reason: 'logged_out' }]]);
  });

  it('P18: is closed when it comes back with the session of another user', async () => {
    const [alice, bob] = [await host.signIn(host.oneId.signIn({ sub: 'alice' })), await host.signIn()];
    const { client, log } = await connect(alice.session);
    await drop(client);
    client.io.opts.extraHeaders = { cookie: `session=${bob.session}` };
    client.connect();
    await until('it is closed', () => log.length > 0 && !client.connected);
    expect(log).toEqual([['session_over', { reason: 'ambiguous' }]]);
  });

  it('P18: is not restored when the store cannot say whether the session is alive', async () => {
    const { session } = await host.signIn();
    const { client, log } = await connect(session);
    await drop(client);
    gateway.server.to('news').emit('secret');
    intercept(host.app.get(SessionDatabase, { strict: false }), () =>
      Promise.reject(new StoreUnavailableError('gone')),
    );
    client.connect();
    await until('it is closed', () => log.length > 0 && !client.connected);
    expect([log, client.recovered]).toEqual([[['session_over', { reason: 'out_of_sync' }]], false]);
  });

  it('P18: is closed, and the log says why, when its state was restored before accept() could watch the namespace', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    gateway.accepts = false;
    const { session } = await host.signIn();
    const { client, log } = await connect(session);
    await drop(client);
    gateway.accepts = true;
    client.connect();
    await until('it is closed', () => log.length > 0 && !client.connected);
    expect(log).toEqual([['session_over', { reason: 'server_error' }]]);
    expect(error.mock.calls.map(([message]) => String(message))).toEqual([
      'Could not accept a socket and closed it: Error: socket.io has restored the state of a socket before ' +
        'SessionConnections could check its session, and the socket is closed. Call SessionConnections.accept() for ' +
        'every socket of the namespace, before any other work',
    ]);
    error.mockRestore();
    // the next one is a socket of its own
    client.connect();
    await until('it is in the room', () => log.length > 1);
    expect([log[1], client.recovered]).toEqual([['joined'], false]);
  });
});

describe('a client that does not answer the closing handshake', () => {
  it('is ignored, and its connection is cut', async () => {
    const host = await Host.start({
      providers: [Gateway],
      configure: (app) => void app.useWebSocketAdapter(new WsAdapter(app)),
    });
    const { session, sid } = await host.signIn();
    const client = new WebSocket(`${host.url.replace('http', 'ws')}/socket`, {
      headers: { cookie: `session=${session}` },
    });
    await once(client, 'open');
    client.send(JSON.stringify({ event: 'say', data: 'before' }));
    await until('it is heard', () => heard.length === 1);
    // the client does not read, so it never sees the close frame
    client.pause();
    await host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
    client.send(JSON.stringify({ event: 'say', data: 'after' }));
    const closed = once(client, 'close');
    // long enough for the server's time limit, if the client did not read
    await until('it is forgotten', () => host.app.get(OpenConnections, { strict: false }).size === 0);
    client.resume();
    await closed;
    expect(heard).toEqual(['before']);
    heard = [];
    await host.stop();
  });
});
