import { describe, expect, it } from '@jest/globals';
import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JWK } from 'jose';
import { type OneIdLogoutOptions, SessionEndedError, SessionRegistry } from 'nestjs-oneid-logout';
import {
  backchannelLogoutEvent,
  type Claims,
  type HeaderParameters,
  signCompact,
  type TokenKey,
} from 'nestjs-oneid-logout/testing';
import { encryptCompact, type Encryption } from '../libs/oneid-logout/src/testing/encrypt-compact.js';
import { delivered, post, stateOf } from './support/channel-requests.js';
import { Host } from './support/host.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { suiteKey } from './support/suite-key.js';

type ClientOptions = Partial<OneIdLogoutOptions['clients'][number]>;

/** One login of one user at a provider, as the tokens of one client name it. */
interface Login {
  readonly iss: string;
  readonly clientId: string;
  readonly sub: string;
  readonly sid: string;
  /** Now, seconds. */
  readonly now: number;
}

interface Token {
  readonly header: HeaderParameters;
  readonly claims: Claims;
  /** Signs the token instead of the provider's key. */
  readonly secret?: string;
  /** Encrypts the token for the app's key. */
  readonly encryption?: Omit<Encryption, 'key'>;
}

/** The shapes that a page of `docs/providers/` describes. */
interface Shape {
  readonly page: string;
  /** Which of the page's cases this is. */
  readonly name: string;
  /** The options that the page gives the client. */
  readonly options: ClientOptions;
  readonly idToken: (login: Login) => Token;
  /** What the provider sends when the login ends: the back-channel's token, or the query of the front-channel. */
  readonly logout: { readonly token: (login: Login) => Token } | { readonly query: (login: Login) => string };
  /** What is refused without one of the page's options, and which code and option the refusal names. */
  readonly without?: {
    readonly option: keyof ClientOptions;
    readonly refuses: 'signIn' | 'logout';
    readonly code: string;
  };
}

const clientSecret = randomBytes(32).toString('hex');
/** Decrypts tokens. RSA keys are slow to make, so it is the key that also signs. */
const { privateKey: decryptionKey } = await suiteKey();
const encryptionKey = createPublicKey(decryptionKey);
const privateKey = decryptionKey.export({ format: 'jwk' }) as JWK;

/** Every logout token has these claims. */
const logoutClaims = ({ iss, now }: Login): Claims => ({
  iss,
  iat: now,
  jti: randomUUID(),
  events: { [backchannelLogoutEvent]: {} },
});

const hydra = {
  page: 'oneid',
  options: {},
  idToken: ({ iss, clientId, sub, sid, now }) => ({
    header: { typ: 'JWT' },
    claims: {
      ...{
        iss,
        aud: [clientId],
        sub,
        sid,
        iat: now,
        exp: now + 3600,
        rat: now,
        auth_time: now - 60,
        jti: randomUUID(),
      },
      at_hash: 'RYQOJBnOMKKHk7Ug-f5xRg',
    },
  }),
} satisfies Partial<Shape>;

const keycloak = {
  page: 'keycloak',
  options: {},
  idToken: ({ iss, clientId, sub, sid, now }) => ({
    header: { typ: 'JWT' },
    claims: {
      ...{
        iss,
        aud: clientId,
        azp: clientId,
        sub,
        sid,
        iat: now,
        exp: now + 300,
        auth_time: now - 60,
        jti: randomUUID(),
      },
      ...{ typ: 'ID', acr: '1', at_hash: 'RYQOJBnOMKKHk7Ug-f5xRg', email_verified: false },
    },
  }),
} satisfies Partial<Shape>;

/** @param named which of `sid` and `sub` the token carries */
const keycloakLogout = (login: Login, named: Claims): Token => ({
  header: { typ: 'JWT' },
  claims: {
    ...logoutClaims(login),
    ...{ aud: login.clientId, exp: login.now + 120, typ: 'Logout', ...named },
    events: { [backchannelLogoutEvent]: {}, revoke_offline_access: true },
  },
});

const authentik = {
  page: 'authentik',
  encryption: { alg: 'RSA-OAEP-256', enc: 'A256CBC-HS512' },
  idToken: ({ iss, clientId, sub, sid, now }: Login) => ({
    header: { typ: 'JWT' },
    claims: {
      iss,
      aud: clientId,
      sub,
      sid,
      iat: now,
      exp: now + 300,
      auth_time: now - 60,
      acr: 'goauthentik.io/providers/oauth2/default',
    },
  }),
  logoutToken: (login: Login) => ({
    header: { typ: 'JWT' },
    claims: { ...logoutClaims(login), aud: login.clientId, sub: login.sub, sid: login.sid },
  }),
};

/** @param azp the client that got the ID token */
const zitadel = (azp: (login: Login) => string): Pick<Shape, 'idToken' | 'logout'> => ({
  idToken: (login) => ({
    header: { typ: 'JWT' },
    claims: {
      ...{ iss: login.iss, sub: login.sub, aud: [login.clientId, '243864381169886443'], azp: azp(login) },
      ...{ iat: login.now, exp: login.now + 43_200, auth_time: login.now - 60, amr: ['user', 'mfa'] },
      ...{ client_id: azp(login), at_hash: 'RYQOJBnOMKKHk7Ug-f5xRg', sid: `V1_${login.sid}` },
    },
  }),
  logout: {
    token: (login) => ({
      header: { typ: 'JWT' },
      claims: {
        ...logoutClaims(login),
        ...{ aud: [login.clientId], sub: login.sub, sid: `V1_${login.sid}`, exp: login.now + 900 },
      },
    }),
  },
});

const shapes: readonly Shape[] = [
  {
    ...{ ...hydra, name: 'the back-channel' },
    logout: {
      token: (login) => ({
        header: { typ: 'JWT' },
        claims: { ...logoutClaims(login), aud: [login.clientId], sid: login.sid },
      }),
    },
  },
  {
    ...{ ...hydra, name: 'the front-channel' },
    logout: { query: ({ iss, sid }) => new URLSearchParams({ iss, sid }).toString() },
  },
  {
    ...{ ...keycloak, name: 'the back-channel, session required' },
    logout: { token: (login) => keycloakLogout(login, { sub: login.sub, sid: login.sid }) },
  },
  {
    ...{ ...keycloak, name: 'the back-channel, session not required: sub alone' },
    logout: { token: (login) => keycloakLogout(login, { sub: login.sub }) },
  },
  {
    ...{ ...keycloak, name: 'an audience mapper' },
    options: { trustedAudiences: ['orders-api'] },
    idToken: (login) => {
      const { header, claims } = keycloak.idToken(login);
      return { header, claims: { ...claims, aud: [login.clientId, 'orders-api'] } };
    },
    logout: { token: (login) => keycloakLogout(login, { sub: login.sub, sid: login.sid }) },
    without: { option: 'trustedAudiences', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    ...{ ...keycloak, name: 'encrypted ID tokens: logout tokens are not encrypted' },
    options: {
      idTokenEncryption: { alg: 'RSA-OAEP', enc: 'A128CBC-HS256', privateKeys: [privateKey] },
      logoutTokenEncryption: 'none',
    },
    idToken: (login) => ({ ...keycloak.idToken(login), encryption: { alg: 'RSA-OAEP', enc: 'A128CBC-HS256' } }),
    logout: { token: (login) => keycloakLogout(login, { sub: login.sub, sid: login.sid }) },
    without: { option: 'logoutTokenEncryption', refuses: 'logout', code: 'logout_token_encryption_not_allowed' },
  },
  {
    page: 'zitadel',
    name: 'the back-channel',
    options: { trustedAudiences: ['243864381169886443'], requireLogoutTokenExp: true },
    ...zitadel(({ clientId }) => clientId),
    without: { option: 'trustedAudiences', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    page: 'zitadel',
    name: 'an ID token that the mobile app got',
    options: { trustedAudiences: ['243864381169886443'], authorizedParties: ['243864426485219999'] },
    ...zitadel(() => '243864426485219999'),
    without: { option: 'authorizedParties', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    page: 'entra',
    name: 'the front-channel: sid alone, and an iat of five minutes before',
    options: { iatBackdatingSeconds: 300 },
    idToken: ({ iss, clientId, sid, sub, now }) => ({
      header: { typ: 'JWT' },
      claims: {
        ...{ iss, aud: clientId, sub, sid, iat: now - 335, nbf: now - 335, exp: now + 3600, ver: '2.0' },
        ...{ aio: 'AXQAi/8IAAAA', oid: randomUUID(), tid: randomUUID(), rh: '0.AR8A', uti: 'KFNwXW7NOUqLK3Zg' },
      },
    }),
    logout: { query: ({ sid }) => new URLSearchParams({ sid }).toString() },
    without: { option: 'iatBackdatingSeconds', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    page: 'auth0',
    name: 'the back-channel',
    options: { requireLogoutTokenExp: true },
    idToken: ({ iss, clientId, sid, sub, now }) => ({
      header: { typ: 'JWT' },
      claims: { iss, aud: clientId, sub, sid, iat: now, exp: now + 36_000 },
    }),
    logout: {
      token: (login) => ({
        header: { typ: 'JWT' },
        claims: {
          ...logoutClaims(login),
          ...{
            aud: login.clientId,
            sub: login.sub,
            sid: login.sid,
            exp: login.now + 120,
            trace_id: '81b336a94a4a5707',
          },
        },
      }),
    },
  },
  {
    page: 'okta',
    name: 'the front-channel',
    options: {},
    idToken: ({ iss, clientId, sid, sub, now }) => ({
      header: { typ: undefined },
      claims: {
        ...{ ver: 1, iss, aud: clientId, sub, sid, iat: now, exp: now + 3600, auth_time: now - 60 },
        ...{ amr: ['pwd'], idp: '00ok1u7AsAkrwdZL3z0g3', jti: 'ID.4eAWJOCMB3SX8XewDfVR' },
      },
    }),
    logout: { query: ({ iss, sid }) => new URLSearchParams({ iss, sid }).toString() },
  },
  {
    ...{ ...authentik, name: 'the back-channel', options: {} },
    logout: { token: authentik.logoutToken },
  },
  {
    page: 'authentik',
    name: 'the back-channel, without a signing key: HS256',
    options: { idTokenSignedResponseAlg: 'HS256', clientAuthentication: { clientSecret } },
    idToken: (login) => ({ ...authentik.idToken(login), secret: clientSecret }),
    logout: { token: (login) => ({ ...authentik.logoutToken(login), secret: clientSecret }) },
    without: { option: 'idTokenSignedResponseAlg', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    page: 'authentik',
    name: 'the back-channel, with an encryption key',
    options: { idTokenEncryption: { ...authentik.encryption, privateKeys: [privateKey] } },
    idToken: (login) => ({ ...authentik.idToken(login), encryption: authentik.encryption }),
    logout: { token: (login) => ({ ...authentik.logoutToken(login), encryption: authentik.encryption }) },
    without: { option: 'idTokenEncryption', refuses: 'signIn', code: 'id_token_invalid' },
  },
  {
    ...{ ...authentik, name: 'the front-channel', options: {} },
    logout: { query: ({ iss, sid }) => new URLSearchParams({ iss, sid }).toString() },
  },
  {
    page: 'node-oidc-provider',
    name: 'the back-channel',
    options: { requireLogoutTokenExp: true, strictLogoutTokenTyp: true },
    idToken: ({ iss, clientId, sid, sub, now }) => ({
      header: { typ: undefined },
      claims: { iss, aud: clientId, sub, sid, iat: now, exp: now + 3600, at_hash: 'RYQOJBnOMKKHk7Ug-f5xRg' },
    }),
    logout: {
      token: (login) => ({
        header: { typ: 'logout+jwt' },
        claims: { ...logoutClaims(login), aud: login.clientId, sub: login.sub, sid: login.sid, exp: login.now + 120 },
      }),
    },
  },
];

const pages = join(import.meta.dirname, '../docs/providers');
const clientOf = ({ page, name }: Shape) => `${page}, ${name}`;
const bareClientOf = (shape: Shape) => `${clientOf(shape)}, without`;

describe('providers', () => {
  let host: Host;
  shareAmongTests(
    () =>
      Host.start({
        otherClients: [
          ...shapes.flatMap(({ without, ...shape }) => [
            { ...shape.options, clientId: clientOf(shape) },
            ...(without === undefined
              ? []
              : [{ ...shape.options, [without.option]: undefined, clientId: bareClientOf(shape) }]),
          ]),
          { clientId: 'zitadel, reusesSid', trustedAudiences: ['243864381169886443'], reusesSid: true },
        ],
      }),
    (started) => void (host = started),
  );

  const loginAt = (clientId: string): Login => ({
    ...{ iss: host.oneId.issuer, clientId, sub: randomUUID(), sid: randomUUID() },
    now: Math.floor(host.clock.now() / 1000),
  });

  async function made({ header, claims, secret, encryption }: Token): Promise<string> {
    const key: TokenKey = secret === undefined ? host.oneId.signingKey : { alg: 'HS256', secret };
    const signed = signCompact(claims, key, header);
    return encryption === undefined ? signed : encryptCompact(signed, { ...encryption, key: encryptionKey });
  }

  const signIn = async (shape: Shape, login: Login) =>
    host.app.get(SessionRegistry).register({ idToken: await made(shape.idToken(login)) });

  async function expectLogout(shape: Shape, login: Login): Promise<void> {
    if ('token' in shape.logout) {
      expect(await post(host, await made(shape.logout.token(login)))).toEqual(delivered);
    } else {
      const answer = await host.fetch(`/frontchannel_logout?${shape.logout.query(login)}`, {
        headers: { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' },
      });
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('Logged out.')]);
    }
  }

  describe.each(shapes.map((shape) => ({ title: clientOf(shape), shape })))('$title', ({ shape }) => {
    it("a sign-in works, and the provider's logout ends this session and no other", async () => {
      const [login, other] = [loginAt(clientOf(shape)), loginAt(clientOf(shape))];
      const [session, others] = [await signIn(shape, login), await signIn(shape, other)];
      expect([await stateOf(host, session), await stateOf(host, others)]).toEqual(['alive', 'alive']);
      await expectLogout(shape, login);
      expect([await stateOf(host, session), await stateOf(host, others)]).toEqual(['logged_out', 'alive']);
    });

    const { without, logout } = shape;
    if (without?.refuses === 'signIn') {
      it(`without ${without.option}, the sign-in is refused, and the refusal names the option`, async () => {
        const { sessions } = await host.stored();
        await expect(signIn(shape, loginAt(bareClientOf(shape)))).rejects.toMatchObject({
          code: without.code,
          message: expect.stringContaining(without.option),
        });
        expect((await host.stored()).sessions).toEqual(sessions);
      });
    }
    if (without?.refuses === 'logout' && 'token' in logout) {
      it(`without ${without.option}, the logout is refused, and the refusal names the option`, async () => {
        const login = loginAt(bareClientOf(shape));
        const session = await signIn(shape, login);
        expect(await post(host, await made(logout.token(login)))).toMatchObject({
          status: 400,
          body: { code: without.code, error_description: expect.stringContaining(without.option) },
        });
        expect(await stateOf(host, session)).toBe('alive');
      });
    }
  });

  it('zitadel: a second attempt has the same jti and a new iat, and ends no later login', async () => {
    const shape = shapes.find(({ page }) => page === 'zitadel');
    if (shape === undefined || !('token' in shape.logout)) throw new Error('no shape');
    const login = loginAt(clientOf(shape));
    const session = await signIn(shape, login);
    const { header, claims } = shape.logout.token(login);
    expect(await post(host, await made({ header, claims }))).toEqual(delivered);
    const again = { header, claims: { ...claims, iat: login.now + 1, exp: login.now + 901 } };
    expect(await post(host, await made(again))).toEqual(delivered);
    expect(await stateOf(host, session)).toBe('logged_out');
    const later = await signIn(shape, loginAt(clientOf(shape)));
    expect(await stateOf(host, later)).toBe('alive');
  });

  it('zitadel, with reusesSid: a later login may have the sid of the one that has ended', async () => {
    const shape = shapes.find(({ page }) => page === 'zitadel');
    if (shape === undefined || !('token' in shape.logout)) throw new Error('no shape');
    for (const [clientId, outcome] of [
      ['zitadel, reusesSid', 'alive'],
      [clientOf(shape), 'session_ended'],
    ] as const) {
      const login = loginAt(clientId);
      await signIn(shape, login);
      const token = shape.logout.token(login);
      expect(await post(host, await made({ ...token, claims: { ...token.claims, iat: login.now - 200 } }))).toEqual(
        delivered,
      );
      const again = signIn(shape, login).then(
        (session) => stateOf(host, session),
        (error: unknown) => (error instanceof SessionEndedError ? error.code : error),
      );
      expect(await again).toBe(outcome);
    }
  });

  it('every page has its shapes here, and names their options', () => {
    const names = readdirSync(pages).filter((name) => name !== 'README.md');
    expect([...new Set(shapes.map(({ page }) => `${page}.md`))].sort()).toEqual(names.sort());
    const missing = shapes.flatMap(({ page, options }) => {
      const text = readFileSync(join(pages, `${page}.md`), 'utf8');
      return Object.keys(options).filter((option) => !text.includes(`\`${option}`));
    });
    expect(missing).toEqual([]);
  });
});
