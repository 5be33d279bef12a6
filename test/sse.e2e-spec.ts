import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import {
  CurrentSession,
  SessionAliveGuard,
  SessionConnections,
  type SessionFacts,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { concat, map, NEVER, type Observable, of } from 'rxjs';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { Host } from './support/host.js';
import { startReplica } from './support/replica.js';
import { until } from './support/until.js';

@Controller()
class NewsController {
  constructor(private readonly connections: SessionConnections) {}

  @Sse('news')
  @UseGuards(SessionAliveGuard)
  news(@CurrentSession() session: SessionFacts): Observable<MessageEvent> {
    return concat(of('hello'), NEVER).pipe(
      map((data) => ({ data })),
      this.connections.whileAlive(session),
    );
  }
}

describe.each(['express', 'fastify'] as const)('server-sent events on %s', (adapter) => {
  let host: Host;
  afterEach(() => host.stop());

  /** The events so far, and whether the stream has ended. */
  async function listen(session: string) {
    const abort = new AbortController();
    const response = await host.fetch('/news', { session, signal: abort.signal });
    const seen = { status: response.status, text: '', ended: false };
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) seen.text += decoder.decode(chunk as Uint8Array);
      seen.ended = true;
    })().catch(() => undefined);
    await until('the first event comes', () => seen.text.includes('hello') || seen.ended);
    return { seen, close: () => abort.abort() };
  }

  it('end when OneID ends the session, and cannot be opened again', async () => {
    host = await Host.start({ adapter, controllers: [NewsController] });
    const [alice, bob] = [await host.signIn(), await host.signIn()];
    const [{ seen }, other] = [await listen(alice.session), await listen(bob.session)];
    await host.oneId.deliver(
      `${host.url}/backchannel_logout`,
      await host.oneId.logoutToken({ clientId: 'app', sid: alice.sid }),
    );
    await until('it ends', () => seen.ended);
    expect(other.seen.ended).toBe(false);
    expect((await host.fetch('/news', { session: alice.session })).status).toBe(401);
    other.close();
    await until('it is forgotten', () => host.app.get(OpenConnections, { strict: false }).size === 0);
  });

  it('end when a sign-in of the same user, also on another replica, is one more than maxSessionsPerUser', async () => {
    host = await Host.start({
      adapter,
      controllers: [NewsController],
      startsJobs: true,
      options: { maxSessionsPerUser: 2 },
    });
    const { sub } = host.oneId.signIn();
    const elsewhere = await startReplica(host.options, host.clock);
    const signIn = async (app: Pick<INestApplication, 'get'>) => {
      const idToken = await host.oneId.idToken({ clientId: 'app', login: host.oneId.signIn({ sub }) });
      return (await app.get(SessionRegistry, { strict: false }).register({ idToken })).sessionToken;
    };
    const sessions = [await signIn(host.app), await signIn(elsewhere)];
    const [first, second] = await Promise.all(sessions.map((session) => listen(session)));
    sessions.push(await signIn(host.app));
    await until('the oldest ends', () => first?.seen.ended === true);
    expect(second?.seen.ended).toBe(false);
    sessions.push(await signIn(elsewhere));
    await until('the next one ends', () => second?.seen.ended === true);
    const again = await Promise.all(sessions.map((session) => listen(session)));
    expect(again.map(({ seen }) => seen.status)).toEqual([401, 401, 200, 200]);
    for (const { close } of again) close();
    await elsewhere.close();
  });

  it('end when another replica ends the session, also in strict mode', async () => {
    host = await Host.start({ adapter, controllers: [NewsController], startsJobs: true });
    const { session, sid } = await host.signIn();
    const { seen } = await listen(session);
    const elsewhere = await startReplica(host.options, host.clock);
    await elsewhere.listen(0, '127.0.0.1');
    await host.oneId.deliver(
      `${await elsewhere.getUrl()}/backchannel_logout`,
      await host.oneId.logoutToken({ clientId: 'app', sid }),
    );
    await until('it ends', () => seen.ended);
    await elsewhere.close();
  });
});
