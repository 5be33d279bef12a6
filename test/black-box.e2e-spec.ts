import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, type LoggerService } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { type CryptoKey, decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { type Configuration, enableDecryptingResponses } from 'openid-client';
import { Clock } from '../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../libs/oneid-logout/src/database/database-connector.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { MODULE_OPTIONS_TOKEN } from '../libs/oneid-logout/src/oneid-logout.module-definition.js';
import { StoreUnavailableError } from '../libs/oneid-logout/src/oneid-logout.errors.js';
import { AppModule } from '../src/app.module.js';
import { canonicalHost } from '../src/canonical-host.js';
import { Browser } from '../src/demo/browser.js';
import { inShort, ReferenceUser } from '../src/demo/reference-user.js';
import { freePort } from '../src/embedded-oneid/free-port.js';
import { oneIdLogoutOptions } from '../src/oneid-logout-options.js';
import { OneIdClient } from '../src/oneid/oneid-client.js';
import { OneId } from '../src/oneid/oneid.js';
import { keepLanguage } from '../src/pages/language.js';
import { readSettings } from '../src/settings.js';
import {
  BlackBoxProvider,
  CLIENT_ID,
  type FixedAnswer,
  type ProviderKey,
  providerKey,
} from './support/black-box-provider.js';
import { rsaKeys } from './support/suite-key.js';
import { intercept } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const PROJECT = '275943712345678901';

type ClientOptions = OneIdLogoutOptions['clients'][number];

/** openid-client for an app whose ID tokens are encrypted. */
class DecryptingClient extends OneIdClient {
  private prepared: Configuration | undefined;

  constructor(
    oneId: OneId,
    private readonly key: CryptoKey,
  ) {
    super(oneId);
  }

  override async configuration(): Promise<Configuration> {
    const configuration = await super.configuration();
    if (configuration !== this.prepared) {
      enableDecryptingResponses(configuration, ['A128CBC-HS256'], { key: this.key, alg: 'RSA-OAEP-256' });
    }
    this.prepared = configuration;
    return configuration;
  }
}

/** The reference app, the provider written for this suite, and the clock of both. */
class BlackBox {
  user: ReferenceUser;

  private constructor(
    readonly app: INestApplication,
    readonly provider: BlackBoxProvider,
    readonly clock: TestClock,
    readonly url: string,
    readonly log: string[],
  ) {
    this.user = new ReferenceUser(url);
  }

  /** @param client options that the developer of the app adds to the client */
  static async start(key: ProviderKey, client: Partial<ClientOptions>, decryptionKey?: CryptoKey): Promise<BlackBox> {
    const clock = new TestClock();
    const provider = await BlackBoxProvider.start(() => clock.now(), key);
    const port = await freePort();
    const settings = readSettings({
      ...provider.environment(port),
      DATABASE_URL: 'sqlite::memory:',
      // a test that moves the clock by minutes is an outage for the app
      RECONFIRM_AFTER_OUTAGE_SECONDS: '0',
    });
    const oneId = await OneId.of(settings);
    const options = oneIdLogoutOptions(settings, oneId);
    const log: string[] = [];
    const building = Test.createTestingModule({ imports: [AppModule.with(settings, oneId)] })
      .setLogger(logInto(log))
      .overrideProvider(Clock)
      .useValue(clock)
      .overrideProvider(DatabaseConnector)
      .useValue(clock.connector)
      .overrideProvider(MODULE_OPTIONS_TOKEN)
      .useValue({ ...options, clients: options.clients.map((each) => ({ ...each, ...client })) });
    if (decryptionKey) building.overrideProvider(OneIdClient).useValue(new DecryptingClient(oneId, decryptionKey));
    const app = (await building.compile()).createNestApplication<NestExpressApplication>();
    app.use(keepLanguage, canonicalHost(settings));
    await app.listen(port, '127.0.0.1');
    provider.appUrl = settings.baseUrl;
    return new BlackBox(app, provider, clock, settings.baseUrl, log);
  }

  /** A new user, whom the provider has not signed in. */
  reset(): void {
    this.user = new ReferenceUser(this.url);
    this.provider.reset();
    this.log.length = 0;
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.provider.close();
  }

  /** Lets seconds pass until the condition holds. */
  passUntil(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return until(what, async () => {
      if (await condition()) return true;
      this.clock.advance(SECOND);
      return false;
    });
  }

  /** Sends a logout token. Time passes until the app answers. */
  async send(token: string) {
    let answer: Awaited<ReturnType<BlackBoxProvider['send']>> | undefined;
    void this.provider.send(token).then((given) => (answer = given));
    await this.passUntil('the app answers', () => answer !== undefined);
    return answer;
  }

  /** Resolves when the user's session has ended, without a further request of the provider. */
  ends(): Promise<void> {
    return this.passUntil('the session ends', async () => (await this.user.meInShort()) === '401 logged_out');
  }
}

function logInto(lines: string[]): LoggerService {
  const add = (message: unknown) => void lines.push(String(message));
  return { log: add, warn: add, error: add };
}

describe('the reference app, with a provider written for this test', () => {
  let box: BlackBox;
  let provider: BlackBoxProvider;
  let bootLog: string[];
  const first = providerKey('the-fixed-kid', rsaKeys[0]);
  const second = providerKey('the-fixed-kid', rsaKeys[1]);
  beforeAll(async () => {
    box = await BlackBox.start(first, { trustedAudiences: [PROJECT] });
    ({ provider } = box);
    bootLog = [...box.log];
  });
  beforeEach(() => {
    box.reset();
    provider.keys = [first];
    // the app has forgotten the keys of the last test
    box.clock.advance(61 * MINUTE);
  });
  afterAll(() => box.stop());

  const me = () => box.user.meInShort();

  it('P1: a further audience that the client trusts', async () => {
    provider.nextIdTokens.push({ aud: [CLIENT_ID, PROJECT], azp: CLIENT_ID });
    await box.user.signIn();
    expect(await me()).toBe('200');

    expect(await provider.send(await provider.logoutToken({ aud: [CLIENT_ID, PROJECT] }))).toMatchObject({
      status: 200,
    });
    expect(await me()).toBe('401 logged_out');
  });

  it('P1: a further audience that the client does not trust', async () => {
    provider.nextIdTokens.push({ aud: [CLIENT_ID, 'stranger'], azp: CLIENT_ID });
    expect((await box.user.signIn()).status).toBe(401);
    // the library may still be revoking the token of an earlier test
    expect(box.log.filter((line) => line.startsWith('A sign-in'))).toEqual([
      `A sign-in was refused: InvalidIdTokenError: The ID token is not for a client of this app: its aud is '${CLIENT_ID}', 'stranger', ` +
        `expected '${CLIENT_ID}', and beside it only the client's trustedAudiences`,
    ]);

    const refused = await provider.send(await provider.logoutToken({ aud: [CLIENT_ID, 'stranger'] }));
    expect([refused.status, refused.body.includes('trustedAudiences')]).toEqual([400, true]);
  });

  it.each([
    [{ azp: null }, { sub: null, exp: null }],
    [{ azp: '' }, { sub: '', nbf: null }],
    [{ acr: null }, { sid: null, sub: 'alice' }],
    [{ amr: null }, { sid: '', sub: 'alice' }],
  ])('P7: absent claims: an ID token with %j and a logout token with %j', async (inIdToken, inLogoutToken) => {
    provider.nextIdTokens.push(inIdToken);
    await box.user.signIn();
    expect(await me()).toBe('200');

    expect(await provider.send(await provider.logoutToken(inLogoutToken))).toMatchObject({ status: 200 });
    expect(await me()).toBe('401 logged_out');
  });

  it('P7: a nonce is never absent', async () => {
    await box.user.signIn();
    expect(await provider.send(await provider.logoutToken({ nonce: null }))).toMatchObject({ status: 400 });
    expect(await me()).toBe('200');
  });

  it('P13: a key made anew under the same kid', async () => {
    await box.user.signIn();
    provider.keys = [second];
    box.clock.advance(32 * SECOND);
    expect(await provider.send(await provider.logoutToken())).toMatchObject({ status: 200 });
    expect(await me()).toBe('401 logged_out');

    await box.user.signIn();
    expect(await me()).toBe('200');
    const authorization = `Bearer ${await provider.accessToken()}`;
    expect(inShort(await new Browser().get(`${box.url}/api/me`, { authorization }))).toBe('200');
  });

  it('P13: the same behind a cache that is five seconds behind', async () => {
    await box.user.signIn();
    provider.keys = [second];
    const stale = { status: 200, body: { keys: [first.publicJwk] }, headers: { Age: '5' } };
    // by the next fetch the cache has the new key
    provider.answers.set('/jwks', [stale]);
    const answer = await box.send(await provider.logoutToken());

    expect([200, 503]).toContain(answer?.status);
    await box.ends();
  });

  it('P23: an ID token with an empty sid', async () => {
    provider.nextIdTokens.push({ sid: '' });
    await box.user.signIn();

    expect(provider.to('/auth').map(({ prompt }) => prompt)).toEqual([undefined, 'login']);
    expect(await box.user.me()).toMatchObject({ sub: 'alice', sid: provider.sid });
    await box.passUntil('the first refresh token is revoked', () => provider.refreshTokens.size === 1);
    expect([...provider.refreshTokens.values()]).toEqual([provider.sid]);
  });

  it('P24: a revocation while the database of the provider fails', async () => {
    await box.user.signIn();
    provider.answers.set('/revoke', [{ status: 401, body: { error: 'invalid_client' } }, { status: 200 }]);
    await box.user.browser.post(`${box.url}/logout/here`, {});
    await box.passUntil('the refresh token is revoked', () => provider.refreshTokens.size === 0);
    expect(await me()).toMatch(/^401/);
    expect(box.log.join()).toContain('invalid_client');
  });

  it('P25: the database of the app is out for half a minute', async () => {
    await box.user.signIn();
    const token = await provider.logoutToken();
    const repair = intercept(box.app.get(SessionDatabase, { strict: false }), () =>
      Promise.reject(new StoreUnavailableError(new Error('the database is gone'))),
    );
    const answers = [await box.send(token), (box.clock.advance(30 * SECOND), await box.send(token))];
    repair();

    expect(answers).toMatchObject([
      { status: 503, retryAfter: '5' },
      { status: 503, retryAfter: '60' },
    ]);
    await box.ends();
  });

  it('P26: a hint of a key that is not the newest', async () => {
    await box.user.signIn();
    provider.keys = [second, first];
    box.clock.advance(2 * MINUTE);
    const last = await box.user.goToOneId(await box.user.pressLogout());

    expect([last.status, last.body]).toEqual([200, '"logged out"']);
    expect([provider.to('/logout'), provider.sid]).toEqual([[{ client_id: CLIENT_ID, ui_locales: 'en' }], undefined]);
    expect(await me()).toMatch(/^401/);
  });

  it('P27: two sign-ins of one browser with one sid', async () => {
    await box.user.signIn();
    await box.user.signIn();
    const tokens = [...provider.refreshTokens.keys()];
    expect(tokens).toHaveLength(2);
    for (let minutes = 0; minutes < 5; minutes += 1) {
      box.clock.advance(MINUTE);
      expect(await me()).toBe('200');
    }
    // the app may still revoke the tokens of earlier tests
    expect([...provider.refreshTokens.keys()]).toEqual(tokens);

    expect(await provider.logOut()).toBe(200);
    expect(await me()).toBe('401 logged_out');
    await box.passUntil('both refresh tokens are revoked', () => provider.refreshTokens.size === 0);
  });

  it('P29: a logout of a new key, sent once, while the keys cannot be fetched', async () => {
    await box.user.signIn();
    provider.keys = [providerKey('another-kid', rsaKeys[0])];
    provider.answers.set('/jwks', Array<FixedAnswer>(5).fill({ status: 503 }));
    expect(await box.send(await provider.logoutToken())).toMatchObject({ status: 503 });
    expect(await me()).toBe('200');

    provider.answers.clear();
    await box.ends();
    expect(provider.to('/jwks').length).toBeLessThan(10);
  });

  it('P39: a front-channel request that names no login', async () => {
    await box.user.signIn();
    const { status, body } = await box.user.browser.get(`${box.url}/frontchannel_logout`, {
      'sec-fetch-dest': 'iframe',
    });

    expect(status).toBe(200);
    expect(body).not.toContain('Logged out.');
    expect(await me()).toBe('200');
    expect(box.log.join()).toContain('frontchannel_logout_session_required');
    for (const name of ['frontchannel_logout_session_required', 'backchannel_logout_session_required']) {
      expect(bootLog.join()).toContain(name);
    }
  });
});

describe('the reference app, with a provider that encrypts ID tokens', () => {
  let box: BlackBox;
  let provider: BlackBoxProvider;
  beforeAll(async () => {
    const encryption = await generateKeyPair('RSA-OAEP-256', { extractable: true });
    const signing = await generateKeyPair('ES256', { extractable: true });
    const idTokenEncryption = { alg: 'RSA-OAEP-256', privateKeys: [await exportJWK(encryption.privateKey)] };
    box = await BlackBox.start(
      providerKey('the-kid', rsaKeys[0]),
      {
        idTokenEncryption,
        logoutTokenEncryption: 'none',
        clientAuthentication: { privateKey: { ...(await exportJWK(signing.privateKey)), alg: 'ES256' } },
      },
      encryption.privateKey,
    );
    ({ provider } = box);
    provider.idTokenKey = await exportJWK(encryption.publicKey);
    provider.clientKey = { ...(await exportJWK(signing.publicKey)), alg: 'ES256' };
  });
  beforeEach(async () => {
    box.reset();
    await box.user.signIn();
  });
  afterAll(() => box.stop());

  it('P28: an assertion for the token endpoint alone revokes the refresh token', async () => {
    await box.user.browser.post(`${box.url}/logout/here`, {});
    await box.passUntil('the refresh token is revoked', () => provider.refreshTokens.size === 0);
    const [request] = provider.to('/revoke');

    expect(decodeJwt(request?.['client_assertion'] ?? '').aud).toBe(`${provider.issuer}token`);
  });

  it('P30: a logout token that is not encrypted', async () => {
    expect(await box.user.meInShort()).toBe('200');
    expect(await provider.send(await provider.logoutToken())).toMatchObject({ status: 200 });
    expect(await box.user.meInShort()).toBe('401 logged_out');
  });

  it('P31: the decrypted ID token is the hint, and the browser comes back', async () => {
    const { sid } = provider;
    const last = await box.user.goToOneId(await box.user.pressLogout());

    expect([last.status, last.url]).toEqual([200, `${box.url}/goodbye`]);
    const [request] = provider.to('/logout');
    expect(request?.['id_token_hint']?.split('.')).toHaveLength(3);
    expect(decodeJwt(request?.['id_token_hint'] ?? '').sid).toBe(sid);
  });
});
