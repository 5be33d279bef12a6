import { afterEach, describe, expect, it } from '@jest/globals';
import { ClientRedis, Transport } from '@nestjs/microservices';
import { MessageHost } from './support/message-host.js';

describe('messages of microservices over Redis', () => {
  let messages: MessageHost;
  afterEach(() => messages.stop());

  it('A7: the handler of a guarded message gets its session, until the logout', async () => {
    const { hostname: host, port } = new URL(process.env['TEST_REDIS_URL'] ?? '');
    const options = { host, port: Number(port || 6379) };
    messages = await MessageHost.start({ transport: Transport.REDIS, options }, new ClientRedis(options));
    const { oneId, url } = messages.host;
    const { session, sid } = await messages.host.signIn(oneId.signIn({ sub: 'alice' }));
    expect(await messages.send('who', { session })).toEqual(['alice', 'alice']);
    await oneId.deliver(`${url}/backchannel_logout`, await oneId.logoutToken({ clientId: 'app', sid }));
    await expect(messages.send('who', { session })).rejects.toMatchObject({ error: 'session_logged_out' });
    expect(await messages.send('visitor', { session })).toBe('a visitor');
  });
});
