import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose';
import { type BrowserLogin } from './browser-logins.js';
import { endpointPaths } from './endpoint-paths.js';
import { notifyClients } from './logout-notifications.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { createSigningKey } from './signing-keys.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

// A second provider plays the relying parties: its troubles are their answers.
describe('logout at OneID', () => {
  let oneId: OneIdTestProvider;
  let rp: OneIdTestProvider;
  beforeAll(async () => {
    [oneId, rp] = await Promise.all([
      OneIdTestProvider.start({ signingKey: await suiteKey(), wait: () => Promise.resolve() }),
      OneIdTestProvider.start(),
    ]);
    oneId.registerClient({
      clientId: 'both',
      backchannelLogoutUri: rp.url('/both/bc'),
      frontchannelLogoutUri: rp.url('/both/fc'),
    });
    oneId.registerClient({ clientId: 'back', backchannelLogoutUri: rp.url('/back/bc') });
    oneId.registerClient({ clientId: 'never', backchannelLogoutUri: rp.url('/never/bc') });
  });
  afterEach(() => {
    rp.clearRequests();
    rp.heal();
  });
  afterAll(() => Promise.all([oneId.close(), rp.close()]));

  it('sends its own logout token to each client that got an ID token of the login', async () => {
    rp.fail('*', { status: 200 });
    const login = oneId.signIn();
    await oneId.idToken({ clientId: 'both', login });
    await oneId.idToken({ clientId: 'back', login });
    const { backchannel, frontchannel } = await oneId.logout(login);

    expect(backchannel.map(({ clientId, uri, sid, delivered }) => [clientId, uri, sid, delivered])).toEqual([
      ['both', rp.url('/both/bc'), login.sid, true],
      ['back', rp.url('/back/bc'), login.sid, true],
    ]);
    expect(backchannel.map(({ token }) => decodeJwt(token))).toMatchObject([
      { aud: ['both'], sid: login.sid },
      { aud: ['back'], sid: login.sid },
    ]);
    expect(frontchannel).toEqual([oneId.frontchannelUrl(rp.url('/both/fc'), { sid: login.sid })]);
    expect([rp.count('/both/bc'), rp.count('/back/bc'), rp.count('/never/bc')]).toEqual([1, 1, 0]);
    expect(oneId.login).toBeUndefined();
  });

  it('tries again when a client fails, and reports this', async () => {
    rp.fail('/back/bc', { status: 503, times: 1 }, { status: 400 });
    const login = oneId.signIn();
    await oneId.idToken({ clientId: 'back', login });
    const { backchannel } = await oneId.logout(login, { attempts: 3 });

    expect(backchannel.map(({ delivered, attempts }) => [delivered, attempts.map(({ status }) => status)])).toEqual([
      [false, [503, 400]],
    ]);
  });

  it('notifies no client of a login that OneID does not remember', async () => {
    const login = oneId.signIn({ remembered: false });
    await oneId.idToken({ clientId: 'both', login });
    expect(await oneId.logout(login)).toEqual({ backchannel: [], frontchannel: [] });

    const forgotten = oneId.signIn();
    await oneId.idToken({ clientId: 'both', login: forgotten });
    oneId.forget(forgotten);
    expect([oneId.login, rp.requests]).toEqual([undefined, []]);
  });

  it('notifies the clients of a provider with any issuer and key', async () => {
    rp.fail('*', { status: 200 });
    const key = await createSigningKey('ES256');
    const clients = [
      { clientId: 'both', backchannelLogoutUri: rp.url('/both/bc'), frontchannelLogoutUri: 'https://rp.test/fc' },
      { clientId: 'neither', backchannelLogoutUri: undefined },
    ];
    const { backchannel, frontchannel } = notifyClients({ issuer: 'urn:x', key, seconds: 7 }, clients, 'the-sid');
    const [delivery, ...more] = await Promise.all(backchannel);

    expect([delivery, more]).toMatchObject([
      { clientId: 'both', uri: rp.url('/both/bc'), sid: 'the-sid', attempts: [{ status: 200 }] },
      [],
    ]);
    const token = delivery?.token ?? '';
    expect(rp.requests.map(({ form }) => form)).toEqual([{ logout_token: token }]);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', kid: key.kid, typ: 'JWT' });
    expect(decodeJwt(token)).toMatchObject({ iss: 'urn:x', aud: ['both'], iat: 7, sid: 'the-sid' });
    await compactVerify(token, key.publicJwk);
    expect(frontchannel).toEqual(['https://rp.test/fc?iss=urn%3Ax&sid=the-sid']);
  });

  it('does not end other logins', () => {
    const [first, second] = [oneId.signIn(), oneId.signIn()];
    oneId.forget(first);

    expect(oneId.login).toEqual(second);
  });

  it('lets a test wait for the notifications of the end-session endpoint', async () => {
    rp.fail('*', { status: 200 });
    const login = oneId.signIn();
    const hint = await oneId.idToken({ clientId: 'back', login });
    const before = (await oneId.deliveries()).length;
    await fetch(`${oneId.url(endpointPaths.endSession)}?id_token_hint=${hint}`);
    const deliveries = await oneId.deliveries();

    expect(deliveries.slice(before)).toMatchObject([{ clientId: 'back', delivered: true }]);
    expect(rp.count('/back/bc')).toBe(1);
  });

  describe.each(['1.11', '2'] as const)('A10: a test that has forgotten something fails, with Hydra %s', (hydra) => {
    let own: OneIdTestProvider;
    beforeAll(async () => {
      own = await OneIdTestProvider.start({ signingKey: await suiteKey(), hydra, clients: [{ clientId: 'shop' }] });
    });
    afterAll(() => own.close());

    const telling = 'OneIdTestProvider.logout() would tell no client: ';
    const advice =
      'Call registerClient({ clientId, backchannelLogoutUri }) with the URI of your app, as soon as you know its port. ' +
      'To end the login without telling any client, call forget().';

    it('logout() of a client without a logout URI', async () => {
      const login = own.signIn();
      await own.idToken({ clientId: 'shop', login });
      await expect(own.logout(login)).rejects.toThrow(
        `${telling}the clients of the login (shop) have no logout URI. ${advice}`,
      );
      expect(own.login).toEqual(login);
    });

    it('logout() of a client that OneID does not know', async () => {
      const login = own.signIn();
      await own.idToken({ clientId: 'shopp', login });
      await expect(own.logout(login)).rejects.toThrow(
        `${telling}it does not know the client of the login's ID tokens (shopp). ${advice}`,
      );
    });

    it('logout() before any client has signed the user in', async () => {
      await expect(own.logout(own.signIn())).rejects.toThrow(
        `${telling}no client has an ID token of this login. Let your app sign the user in, or make the token with ` +
          'idToken({ clientId, login }). To end the login without telling any client, call forget().',
      );
    });

    it('logout() and forget() of a login that OneID does not know, or that has ended', async () => {
      await expect(own.logout({ sid: 'typo' })).rejects.toThrow(
        `${telling}no login has the sid "typo". Give it what signIn() has returned, or login. A login ends only once.`,
      );
      const login = own.signIn();
      own.forget(login);
      expect(() => own.forget(login)).toThrow(
        `OneIdTestProvider.forget() ends no login, because no login has the sid "${login.sid}".`,
      );
    });

    it.each<[string, unknown]>([
      ['undefined', undefined],
      ['null', null],
      ['a value of type string', 'a-sid'],
      ['a promise', Promise.resolve({ sid: 'a' })],
      ['an object without a sid', { sub: 'alice' }],
    ])('logout() and forget() of %s', async (came, login) => {
      const expected = `got ${came}, not a login. Give it what signIn() has returned, or login.`;
      await expect(own.logout(login as BrowserLogin)).rejects.toThrow(`OneIdTestProvider.logout() ${expected}`);
      expect(() => own.forget(login as BrowserLogin)).toThrow(`OneIdTestProvider.forget() ${expected}`);
    });

    it('fail() without a trouble', () => {
      expect(() => own.fail('*')).toThrow('fail() needs a trouble, for example { status: 503 }. heal() ends one.');
    });

    it('logout() and deliver() of a closed provider', async () => {
      const closed = await OneIdTestProvider.start({ signingKey: await suiteKey(), hydra });
      const login = closed.signIn();
      await closed.close();
      await expect(closed.logout(login)).rejects.toThrow(
        'OneIdTestProvider.logout() sends nothing after close(). Close the provider at the end of the tests.',
      );
      await expect(closed.deliver(rp.url('/shop/bc'), 'token')).rejects.toThrow(
        'OneIdTestProvider.deliver() sends nothing after close(). Close the provider at the end of the tests.',
      );
      expect(rp.count('/shop/bc')).toBe(0);
    });
  });
});
