import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, type ExecutionContext, Injectable, Logger, UseGuards } from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { SessionAliveGuard, type SessionRequest } from 'nestjs-oneid-logout';
import { firstValueFrom } from 'rxjs';
import { Host } from './support/host.js';
import { freePort } from './support/postgres.mjs';

/** The message contains the session's id. */
@Injectable()
class MessageGuard extends SessionAliveGuard {
  protected override getRequest(context: ExecutionContext): SessionRequest {
    const { session } = context.switchToRpc().getData<{ session: string }>();
    return { headers: { cookie: `session=${session}` } };
  }
}

@Controller()
class MessageController {
  @MessagePattern('guarded')
  @UseGuards(MessageGuard)
  guarded(@Payload() { text }: { text: string }): string {
    return `guarded: ${text}`;
  }

  @MessagePattern('not thought of')
  @UseGuards(SessionAliveGuard)
  notThoughtOf(): string {
    return 'reached';
  }
}

describe('messages of microservices', () => {
  let host: Host;
  let client: ClientProxy;
  afterEach(async () => {
    client.close();
    await host.stop();
  });

  async function start(): Promise<void> {
    const port = await freePort();
    host = await Host.start({
      controllers: [MessageController],
      providers: [MessageGuard],
      configure: async (app) => {
        app.connectMicroservice<MicroserviceOptions>({
          transport: Transport.TCP,
          options: { host: '127.0.0.1', port },
        });
        await app.startAllMicroservices();
      },
    });
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  }

  const send = (pattern: string, data: object) => firstValueFrom(client.send<string>(pattern, data));

  it('a guard with getRequest() refuses an ended session, with a code and a reason', async () => {
    await start();
    const { session, sid } = await host.signIn();
    expect(await send('guarded', { session, text: 'hello' })).toBe('guarded: hello');
    await host.oneId.deliver(`${host.url}/backchannel_logout`, await host.oneId.logoutToken({ clientId: 'app', sid }));
    await expect(send('guarded', { session, text: 'hello' })).rejects.toEqual({
      status: 'error',
      statusCode: 401,
      error: 'session_logged_out',
      message: 'A logout has ended the session',
      reason: 'logged_out',
    });
  });

  it('the guard without getRequest() finds no request, and lets no message through', async () => {
    await start();
    const { session } = await host.signIn();
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await expect(send('not thought of', { session })).rejects.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    expect(String(error.mock.calls[0]?.[0])).toBe(
      'TypeError: The library found no request in this context (rpc). Extend SessionAliveGuard and override getRequest() ' +
        'to return the request that carries the session',
    );
    error.mockRestore();
  });
});
