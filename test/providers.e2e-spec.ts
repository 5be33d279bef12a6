import { describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OneIdLogoutOptions, SessionRegistry } from 'nestjs-oneid-logout';
import { backchannelLogoutEvent, type Claims, type HeaderParameters, signCompact } from 'nestjs-oneid-logout/testing';
import { delivered, post, refused, stateOf } from './support/channel-requests.js';
import { Host } from './support/host.js';
import { shareAmongTests } from './support/share-among-tests.js';

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
  readonly header?: HeaderParameters;
  readonly claims: Claims;
  /** Signs the token instead of the provider's key. */
  readonly secret?: string;
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
  /** What happens without the page's options; undefined: the page's options are not needed for these shapes. */
  readonly without?: { readonly signIn: string } | { readonly logout: readonly [code: string, description: string] };
}

const clientSecret = randomBytes(32).toString('hex');

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
    page: 'entra',
    name: 'the front-channel: sid alone',
    options: {},
    idToken: ({ iss, clientId, sid, sub, now }) => ({
      header: { typ: 'JWT' },
      claims: {
        ...{ iss, aud: clientId, sub, sid, iat: now, nbf: now, exp: now + 3600, ver: '2.0' },
        ...{ aio: 'AXQAi/8IAAAA', oid: randomUUID(), tid: randomUUID(), rh: '0.AR8A', uti: 'KFNwXW7NOUqLK3Zg' },
      },
    }),
    logout: { query: ({ sid }) => new URLSearchParams({ sid }).toString() },
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
      header: {},
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
    without: { signIn: 'The ID token does not have the alg that the options name' },
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
      header: {},
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

describe('providers', () => {
  let host: Host;
  shareAmongTests(
    () =>
      Host.start({
        otherClients: shapes.map((shape) => ({ ...shape.options, clientId: clientOf(shape) })),
      }),
    (started) => void (host = started),
  );

  const loginAt = (clientId: string): Login => ({
    ...{ iss: host.oneId.issuer, clientId, sub: randomUUID(), sid: randomUUID() },
    now: Math.floor(host.clock.now() / 1000),
  });

  const signed = ({ header = {}, claims, secret }: Token): string =>
    secret === undefined
      ? signCompact(claims, host.oneId.signingKey, { typ: undefined, ...header })
      : signCompact(claims, { alg: 'HS256', secret }, { typ: undefined, ...header });

  const signIn = (shape: Shape, login: Login) =>
    host.app.get(SessionRegistry).register({ idToken: signed(shape.idToken(login)) });

  async function expectLogout(shape: Shape, login: Login): Promise<void> {
    if ('token' in shape.logout) {
      expect(await post(host, signed(shape.logout.token(login)))).toEqual(delivered);
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

    const { without } = shape;
    if (without === undefined) return;

    it("without the page's options, the refusal says what to do", async () => {
      const login = loginAt('app');
      if ('signIn' in without) {
        const { sessions } = await host.stored();
        await expect(signIn(shape, login)).rejects.toMatchObject({ code: 'id_token_invalid', message: without.signIn });
        expect((await host.stored()).sessions).toEqual(sessions);
      } else {
        const session = await host.signIn({ ...host.oneId.signIn(login), sid: login.sid, sub: login.sub });
        const token = 'token' in shape.logout ? shape.logout.token(login) : undefined;
        expect(await post(host, token === undefined ? '' : signed(token))).toEqual(refused(...without.logout));
        expect(await stateOf(host, { sessionToken: session.session })).toBe('alive');
      }
    });
  });

  it('every page has its shapes here, and names their options', () => {
    const names = readdirSync(pages).filter((name) => name !== 'README.md' && name !== 'zitadel.md');
    expect([...new Set(shapes.map(({ page }) => `${page}.md`))].sort()).toEqual(names.sort());
    const missing = shapes.flatMap(({ page, options }) => {
      const text = readFileSync(join(pages, `${page}.md`), 'utf8');
      return Object.keys(options).filter((option) => !text.includes(`\`${option}`));
    });
    expect(missing).toEqual([]);
  });
});
