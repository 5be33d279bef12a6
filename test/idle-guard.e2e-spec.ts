import { once } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Logger, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  CurrentSession,
  NotActivity,
  SessionAliveGuard,
  SessionConnections,
  type SessionFacts,
  sessionFromClaims,
  sessionFromCookie,
  type SessionRequest,
  type SocketClient,
} from 'nestjs-oneid-logout';
import { concat, map, NEVER, type Observable, of } from 'rxjs';
import { WebSocket } from 'ws';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { IdleEnds } from '../libs/oneid-logout/src/sessions/idle-ends.js';
import { SessionActivity } from '../libs/oneid-logout/src/sessions/session-activity.js';
import { Host, type HostSettings } from './support/host.js';
import { until } from './support/until.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const maxIdleSeconds = 20 * 60;

@Controller()
@UseGuards(SessionAliveGuard)
class PagesController {
  constructor(private readonly connections: SessionConnections) {}

  @Get('me')
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Get('unread')
  @NotActivity()
  unread() {
    return { unread: 3 };
  }

  @Sse('news')
  news(@CurrentSession() session: SessionFacts): Observable<MessageEvent> {
    return concat(of('hello'), NEVER).pipe(
      map((data) => ({ data })),
      this.connections.whileAlive(session),
    );
  }
}

@Controller('polled')
@NotActivity()
@UseGuards(SessionAliveGuard)
class PolledController {
  @Get()
  read() {
    return { polled: true };
  }
}

@WebSocketGateway({ path: '/socket' })
class ChatGateway implements OnGatewayConnection {
  constructor(private readonly connections: SessionConnections) {}

  async handleConnection(client: SocketClient, request: SessionRequest): Promise<void> {
    await this.connections.accept(client, request);
  }

  @SubscribeMessage('say')
  @UseGuards(SessionAliveGuard)
  say(@CurrentSession() session: SessionFacts) {
    return { event: 'said', data: session.sub };
  }

  @SubscribeMessage('ping')
  @NotActivity()
  @UseGuards(SessionAliveGuard)
  ping() {
    return { event: 'pong' };
  }
}

describe.each([
  ['strict', 'strict'],
  ['bounded', { maxStalenessMs: 500 }],
] as const)('the guard and maxIdleSeconds, with %s liveness', (_name, liveness) => {
  let host: Host;
  afterEach(() => host.stop());

  const start = async (settings: HostSettings = {}) => {
    host = await Host.start({
      controllers: [PagesController, PolledController],
      providers: [ChatGateway],
      options: { maxIdleSeconds, liveness },
      configure: (app) => {
        app.useWebSocketAdapter(new WsAdapter(app));
      },
      ...settings,
    });
  };

  /** Time passes in steps of a minute. The background jobs run after each. */
  async function pass(minutes: number, after: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    for (let n = 0; n < minutes; n++) {
      host.clock.advance(MINUTE);
      await jobs();
      await after();
    }
    await jobs();
  }

  async function jobs(): Promise<void> {
    await host.app.get(LogoutFollower, { strict: false }).wake();
    await host.app.get(SessionActivity, { strict: false }).wake();
    await host.app.get(OpenConnections, { strict: false }).wake();
    await host.app.get(IdleEnds, { strict: false }).wake();
    // not host.settled(), which would wait for open streams
    for (let turn = 0; turn < 10; turn++) await host.clock.endOfTurn();
  }

  const status = async (path: string, session: string) => (await host.fetch(path, { session })).status;

  it('an idle session ends for good some minutes later, by a job that the module starts', async () => {
    const starting = jest.spyOn(IdleEnds.prototype, 'start');
    await start({ startsJobs: true });
    expect(starting).toHaveBeenCalledTimes(1);
    starting.mockRestore();
    const { session } = await host.signIn();
    const channels = async () => (await host.stored()).logouts.map((row) => row['channel']);
    await pass(20);
    expect([await status('/me', session), await channels()]).toEqual([401, []]);
    await pass(4);
    expect(await channels()).toEqual(['idle']);
    const response = await host.fetch('/me', { session });
    expect([response.status, await response.json()]).toMatchObject([401, { error: 'session_idle', reason: 'idle' }]);
  });

  it('a session of another app that shares the database stays, and a request here is no use of it', async () => {
    await start();
    const [own, other] = [await host.signIn(), await host.signIn()];
    const database = host.app.get(SessionDatabase, { strict: false });
    await database.run(`UPDATE oneid_session SET client_id = 'other' WHERE sid = ?`, [other.sid]);
    await pass(10, async () => expect(await status('/me', other.session)).toBe(401));
    expect((await database.run('SELECT * FROM oneid_session_activity')).rows).toEqual([]);
    await pass(14);
    const { rows } = await database.run(
      `SELECT s.sid FROM oneid_session s JOIN oneid_logout l ON l.target = s.target_session`,
    );
    expect(rows).toEqual([{ sid: own.sid }]);
  });

  it('an unused session gets 401 with the reason idle', async () => {
    await start();
    const { session } = await host.signIn();
    await pass(19);
    expect(await status('/unread', session)).toBe(200);
    await pass(1);
    const response = await host.fetch('/me', { session });
    expect([response.status, await response.json()]).toEqual([
      401,
      {
        statusCode: 401,
        error: 'session_idle',
        message: 'The session was not used for too long',
        reason: 'idle',
      },
    ]);
  });

  it('requests keep a session alive', async () => {
    await start();
    const { session } = await host.signIn();
    await pass(50, async () => expect(await status('/me', session)).toBe(200));
    await pass(17);
    expect(await status('/me', session)).toBe(200);
  });

  it.each(['/unread', '/polled', '/nowhere'])('requests of %s do not', async (path) => {
    await start();
    const { session } = await host.signIn();
    const expected = path === '/nowhere' ? 404 : 200;
    await pass(19, async () => expect(await status(path, session)).toBe(expected));
    await pass(1);
    expect(await status('/me', session)).toBe(401);
  });

  it('a stream ends when its session is idle: neither the open stream nor its opening is a use', async () => {
    await start();
    const { session } = await host.signIn();
    const open = async () => {
      const response = await host.fetch('/news', { session });
      const seen = { status: response.status, text: '', ended: false };
      void (async () => {
        const decoder = new TextDecoder();
        for await (const chunk of response.body ?? []) seen.text += decoder.decode(chunk as Uint8Array);
        seen.ended = true;
      })().catch(() => undefined);
      await until('the first event comes', () => seen.text.includes('hello') || seen.ended);
      return seen;
    };
    await pass(10);
    const stream = await open();
    await pass(9);
    const again = await open();
    expect([stream.status, stream.ended, again.ended]).toEqual([200, false, false]);
    await pass(1);
    await until('both end', () => stream.ended && again.ended);
    expect(await status('/news', session)).toBe(401);
  });

  it('a message over a socket is a use; an open socket is not, and it closes when its session is idle', async () => {
    await start();
    const connect = async (session: string) => {
      const client = new WebSocket(`${host.url.replace('http', 'ws')}/socket`, {
        headers: { cookie: `session=${session}` },
      });
      const seen = { messages: 0, closed: [] as unknown[] };
      client.on('message', () => (seen.messages += 1));
      client.on('close', (code, reason) => seen.closed.push(code, reason.toString()));
      await once(client, 'open');
      const send = async (event: string) => {
        const before = seen.messages;
        client.send(JSON.stringify({ event }));
        await until('it is answered', () => seen.messages > before);
      };
      return { seen, send };
    };
    const [talker, listener] = [await host.signIn(), await host.signIn()];
    const talking = await connect(talker.session);
    const listening = await connect(listener.session);
    await pass(19, async () => {
      await talking.send('say');
      await listening.send('ping');
    });
    expect([talking.seen.closed, listening.seen.closed]).toEqual([[], []]);
    await pass(1);
    await until('the socket closes', () => listening.seen.closed.length > 0);
    expect([talking.seen.closed, listening.seen.closed]).toEqual([[], [4401, 'idle']]);
    await pass(20);
    await until('the other socket closes', () => talking.seen.closed.length > 0);
    expect(talking.seen.closed).toEqual([4401, 'idle']);
    expect(host.app.get(OpenConnections, { strict: false }).size).toBe(0);
  });

  it('the stop of the app records the uses that wait', async () => {
    await start();
    const { session } = await host.signIn();
    await pass(3);
    await host.fetch('/me', { session });
    const database = host.app.get(SessionDatabase, { strict: false });
    const rows = async () => (await database.run('SELECT * FROM oneid_session_activity')).rows;
    expect(await rows()).toEqual([]);
    const activity = host.app.get(SessionActivity, { strict: false });
    await activity.stop();
    expect(await rows()).toHaveLength(1);
  });

  it('a verified token is never idle, and the log says so once', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const claimsOf = sessionFromClaims(({ headers }) => JSON.parse(String(headers['x-claims'] ?? 'null')) as unknown);
    await start({ options: { maxIdleSeconds, liveness, sessionFrom: [claimsOf, sessionFromCookie('session')] } });
    const claims = { iss: host.oneId.issuer, sid: 'login', sub: 'alice', iat: host.clock.seconds };
    const status = async () => (await host.fetch('/me', { headers: { 'x-claims': JSON.stringify(claims) } })).status;
    expect(await status()).toBe(200);
    await pass(25);
    expect(await status()).toBe(200);
    const texts = warned.mock.calls.map(([text]) => String(text)).filter((text) => text.includes('maxIdleSeconds'));
    warned.mockRestore();
    expect(texts).toEqual([
      'A request carried a verified token. maxIdleSeconds does not end it: only registered sessions can be idle.',
    ]);
  });
});
