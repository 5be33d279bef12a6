import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Logger } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ClientTCP, MessagePattern, Transport } from '@nestjs/microservices';
import { CurrentSession, type SessionFacts } from 'nestjs-oneid-logout';
import { MessageGuard, MessageHost } from './support/message-host.js';
import { freePort } from './support/postgres.mjs';

/** A global guard guards it. */
@Controller()
class GlobalController {
  @Get('who')
  @MessagePattern('who')
  who(@CurrentSession() session: SessionFacts): object {
    return { sub: session.sub };
  }
}

@Controller()
class OpenController {
  @Get('open')
  @MessagePattern('open')
  open(): string {
    return 'reached';
  }
}

const loggedOut = {
  status: 'error',
  statusCode: 401,
  error: 'session_logged_out',
  message: 'A logout has ended the session',
  reason: 'logged_out',
};

const internalError = { status: 'error', message: 'Internal server error' };

describe('messages of microservices', () => {
  let messages: MessageHost;
  afterEach(() => messages.stop());

  async function start(settings: Parameters<typeof MessageHost.start>[2] = {}): Promise<void> {
    const options = { host: '127.0.0.1', port: await freePort() };
    messages = await MessageHost.start({ transport: Transport.TCP, options }, new ClientTCP(options), settings);
  }

  const send = (pattern: string, data: object) => messages.send(pattern, data);
  const signIn = (sub: string) => messages.host.signIn(messages.host.oneId.signIn({ sub }));

  async function logOut(sid: string): Promise<void> {
    const { oneId, url } = messages.host;
    await oneId.deliver(`${url}/backchannel_logout`, await oneId.logoutToken({ clientId: 'app', sid }));
  }

  it('a guard with getRequest() refuses an ended session, with a code and a reason', async () => {
    await start();
    const { session, sid } = await signIn('alice');
    expect(await send('guarded', { session, text: 'hello' })).toBe('guarded: hello');
    await logOut(sid);
    await expect(send('guarded', { session, text: 'hello' })).rejects.toEqual(loggedOut);
  });

  it('a message without session is refused as missing', async () => {
    await start();
    await expect(send('guarded', { text: 'hello' })).rejects.toMatchObject({ statusCode: 401, reason: 'missing' });
  });

  it('a global guard of a hybrid app guards no message without inheritAppConfig', async () => {
    await start({
      controllers: [OpenController],
      providers: [{ provide: APP_GUARD, useClass: MessageGuard }],
    });
    expect(await send('open', {})).toBe('reached');
    expect((await messages.host.fetch('/open')).status).toBe(401);
  });

  it('A7: the handler of a guarded message gets its session, and an interceptor finds it on the context of the message', async () => {
    await start();
    const { session, sid } = await signIn('alice');
    expect(await send('who', { session })).toEqual(['alice', 'alice']);
    expect(await send('visitor', { session })).toBe('alice');
    await logOut(sid);
    expect(await send('visitor', { session })).toBe('a visitor');
  });

  it('A7: each of many messages at the same time gets its own session', async () => {
    await start();
    const users = await Promise.all(
      ['alice', 'bob', 'carol'].map(async (sub) => ({ sub, session: (await signIn(sub)).session })),
    );
    const all = Array.from({ length: 10 }, () => users).flat();
    expect(await Promise.all(all.map(({ session }) => send('who', { session })))).toEqual(
      all.map(({ sub }) => [sub, sub]),
    );
  });

  it('A7: a handler without guard gets an error that says what to do, also when another handler has a guard', async () => {
    await start();
    const { session } = await signIn('alice');
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await send('who', { session });
    await expect(send('not guarded', { session })).rejects.toEqual(internalError);
    expect(String(error.mock.calls[0]?.[0])).toBe(
      'Error: MessageController.notGuarded() uses @CurrentSession(), but no SessionAliveGuard has run before it. Add ' +
        '@UseGuards(SessionAliveGuard). In a unit test, put a StandInGuard of nestjs-oneid-logout/testing in its place.',
    );
    error.mockRestore();
  });

  it('A7: a global guard of a hybrid app gives the session to the handlers of requests and of messages', async () => {
    await start({
      inheritAppConfig: true,
      controllers: [GlobalController],
      providers: [{ provide: APP_GUARD, useClass: MessageGuard }],
    });
    const { session, sid } = await signIn('alice');
    expect(await send('who', { session })).toEqual({ sub: 'alice' });
    expect(await (await messages.host.fetch('/who', { session })).json()).toEqual({ sub: 'alice' });
    await logOut(sid);
    await expect(send('who', { session })).rejects.toEqual(loggedOut);
    expect((await messages.host.fetch('/who', { session })).status).toBe(401);
  });

  it('the guard without getRequest() finds no request, and lets no message through', async () => {
    await start();
    const { session } = await signIn('alice');
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await expect(send('not thought of', { session })).rejects.toEqual(internalError);
    expect(String(error.mock.calls[0]?.[0])).toBe(
      'TypeError: The library found no request in this context (rpc). Extend SessionAliveGuard and override getRequest() ' +
        'to return the request that carries the session',
    );
    error.mockRestore();
  });
});
