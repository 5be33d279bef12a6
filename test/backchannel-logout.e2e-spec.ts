import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { exportJWK, generateKeyPair } from 'jose';
import { InvalidIdTokenError, SessionEvents, SessionRegistry } from 'nestjs-oneid-logout';
import {
  backchannelLogoutEvent,
  type Claims,
  createSigningKey,
  endpointPaths,
  type LogoutTokenRequest,
  signCompact,
} from 'nestjs-oneid-logout/testing';
import { type BackgroundJob } from '../libs/oneid-logout/src/background-job.js';
import { LogoutInbox } from '../libs/oneid-logout/src/sessions/logout-inbox.js';
import { UndecidedTokens } from '../libs/oneid-logout/src/sessions/undecided-tokens.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import {
  Cleanup,
  delivered,
  logoutsOf,
  temporarilyUnavailable,
  post,
  postRaw,
  refused,
  signIn,
  stateOf,
  storedIn,
} from './support/channel-requests.js';
import { databases } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { failNext } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

const HOUR = 60 * 60 * 1000;

/** After this time the library may fetch the provider's keys three times at once, milliseconds. */
const BUDGET_FULL = 90_000;

const malformed = (description: string) => refused('logout_request_malformed', description);
const noKey = refused('logout_token_key_unknown', 'the provider has no such signing key');
const badSignature = refused('logout_token_signature_invalid', 'the signature is not valid');
const badSecret = refused(
  'logout_token_signature_invalid',
  'the signature is not valid: with HS256, clientAuthentication.clientSecret must be the key. Keycloak uses a key that no client gets: have it sign with RS256',
);
const badAlg = refused('logout_token_alg_not_allowed', 'alg is not the algorithm that the options name');
const badEvents = refused('logout_token_events_invalid', 'events does not contain the logout event');
const badAudience = (came: string, expected = "'app'") =>
  refused(
    'logout_token_audience_mismatch',
    `aud is ${came}, expected ${expected}, and beside it only the client's trustedAudiences`,
  );
const badIssuer = refused('logout_token_issuer_unknown', 'iss is not the issuer of a configured provider');
const badIat = refused('logout_token_iat_invalid', 'iat is missing or in the future');
const badSubject = refused('logout_token_subject_missing', 'the token needs a sid or a sub, as a non-empty string');
const badExp = refused('logout_token_expired', 'exp is in the past, or is not a time');
const badForm = refused('logout_token_malformed', 'the logout token is not a signed JWT');
const badTyp = refused('logout_token_typ_not_allowed', 'typ is not allowed for a logout token');
const badJti = refused('logout_token_jti_missing', 'jti is missing');

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe.each(databases)('back-channel logout, on $name', (database) => {
  let host: Host;
  shareAmongTests(
    () => Host.start({ database }),
    (started) => void (host = started),
  );
  afterEach(async () => {
    jest.restoreAllMocks();
    host.oneId.heal();
    // so that the replica records a logout that it keeps now, not during the next test
    for (const job of [LogoutInbox, UndecidedTokens]) await host.app.get<BackgroundJob>(job, { strict: false }).wake();
    host.clock.advance(BUDGET_FULL);
  });

  const token = (request: Partial<LogoutTokenRequest> = {}) =>
    host.oneId.logoutToken({ clientId, ...(request.login === undefined && { sid: 'some-sid' }), ...request });
  const withClaims = (claims: Claims, request: Partial<LogoutTokenRequest> = {}) => token({ ...request, claims });

  /** Returns the answer, and checks that the library has stored nothing. */
  async function storingNothing<T>(answer: () => Promise<T>): Promise<T> {
    const before = await storedIn(host);
    const answered = await answer();
    expect(await storedIn(host)).toEqual(before);
    return answered;
  }
  const refusalOf = async (logoutToken: string) => storingNothing(() => post(host, logoutToken));

  describe('BC-1: the request', () => {
    it('BC-1: accepts a form with logout_token and ignores unknown parameters', async () => {
      const { login, session } = await signIn(host);

      expect(await post(host, await token({ login }), { unknown: 'x', state: 'y' })).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
      expect(await logoutsOf(host)).toContainEqual({
        target: targetOf('sid', host.oneId.issuer, login.sid),
        channel: 'backchannel',
        issuedUntil: null,
        registeredUntil: null,
        iat: expect.any(Number) as unknown,
      });
    });

    it('BC-1: accepts the media type in any case, with parameters', async () => {
      const body = `logout_token=${await token()}`;

      expect(await postRaw(host, body, 'Application/X-WWW-Form-Urlencoded; charset=UTF-8')).toEqual(delivered);
    });

    it.each(['application/json', 'text/plain', 'multipart/form-data', 'application/logout+jwt'])(
      'BC-1: refuses %s',
      async (contentType) => {
        const answered = await storingNothing(async () =>
          postRaw(host, JSON.stringify({ logout_token: await token() }), contentType),
        );

        expect(answered).toEqual(malformed('The content type must be application/x-www-form-urlencoded'));
      },
    );

    it.each(['', 'logout_token=', 'token=x', 'LOGOUT_TOKEN=x'])(
      'BC-1: refuses a form without logout_token: "%s"',
      async (body) => {
        expect(await storingNothing(() => postRaw(host, body))).toEqual(
          refused('logout_token_missing', 'logout_token is missing'),
        );
      },
    );

    it('BC-1: does not read the token from the query', async () => {
      const response = await host.fetch(`/backchannel_logout?logout_token=${await token()}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      });

      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'logout_token_missing' });
    });
  });

  describe('BC-2: the claims', () => {
    it.each([
      ['iss', badIssuer],
      ['aud', badAudience('missing')],
      ['iat', badIat],
      ['jti', badJti],
      ['events', badEvents],
    ])('BC-2: refuses a token without %s', async (claim, refusal) => {
      expect(await refusalOf(await withClaims({ [claim]: undefined }))).toEqual(refusal);
    });

    it('BC-2: accepts a token without exp, as OneID sends it, for ten minutes', async () => {
      const now = host.clock.seconds;

      expect(await post(host, await withClaims({ iat: now - 600 }))).toEqual(delivered);
      expect(await refusalOf(await withClaims({ iat: now - 635 }))).toEqual(
        refused('logout_token_too_old', 'iat is too long ago'),
      );
    });

    it('BC-2: checks exp when the token has one', async () => {
      const now = host.clock.seconds;

      for (const exp of [now + 60, null, '']) expect(await post(host, await withClaims({ exp }))).toEqual(delivered);
      for (const exp of [now - 40, 'tomorrow', -1]) {
        expect(await refusalOf(await withClaims({ exp }))).toEqual(badExp);
      }
    });

    it.each([null, '', 7, ['a'], {}, 'x'.repeat(256)])('BC-2: refuses the jti %j', async (jti) => {
      expect(await refusalOf(await withClaims({ jti }))).toEqual(badJti);
    });
  });

  describe('BC-3: the signature', () => {
    it('BC-3: refuses alg none, with and without a signature', async () => {
      expect(await refusalOf(await token({ key: 'none' }))).toEqual(badAlg);
      expect(await refusalOf(await token({ header: { alg: 'none' } }))).toEqual(badAlg);
      expect(await refusalOf(await token({ header: { alg: 'nOnE' } }))).toEqual(badAlg);
    });

    it('BC-3: refuses a MAC made with the public key, or with the client secret', async () => {
      for (const secret of [host.oneId.signingKey.publicPem, 'the-secret-of-app']) {
        expect(await refusalOf(await token({ key: { secret } }))).toEqual(badAlg);
        const header = { alg: 'RS256', kid: host.oneId.signingKey.kid };
        expect(await refusalOf(await token({ key: { secret }, header }))).toEqual(badSignature);
      }
    });

    it('BC-3: refuses every alg except the configured one, even with a key of the provider', async () => {
      const key = await host.oneId.addKey('ES256');

      expect(await refusalOf(await token({ key }))).toEqual(badAlg);
      expect(await refusalOf(await token({ key: await createSigningKey('PS256') }))).toEqual(badAlg);
      expect(await refusalOf(await token({ header: { alg: 'RS512' } }))).toEqual(badAlg);
      expect(await refusalOf(await token({ header: { alg: undefined } }))).toEqual(badAlg);
    });

    it("BC-3: refuses a signature by another key with the provider's kid", async () => {
      const header = { kid: host.oneId.signingKey.kid };

      expect(await refusalOf(await token({ key: await createSigningKey(), header }))).toEqual(badSignature);
    });

    it('BC-3: refuses a token that was changed after signing', async () => {
      const [header, , signature] = (await token({ sid: 'one' })).split('.');
      const [, payload] = (await token({ sid: 'another' })).split('.');

      expect(await refusalOf([header, payload, signature].join('.'))).toEqual(badSignature);
      expect(await refusalOf([header, payload, ''].join('.'))).toEqual(badSignature);
    });

    it('P13: takes a key that OneID has made anew under the same kid, also 32 s after the last fetch', async () => {
      const { login, session } = await signIn(host);
      const { kid } = host.oneId.signingKey;
      const renewed = { ...(await createSigningKey()), kid };
      host.oneId.fail(endpointPaths.jwks, { body: JSON.stringify({ keys: [{ ...renewed.publicJwk, kid }] }) });
      host.clock.advance(32_000);

      expect(await refusalOf(await token({ key: await createSigningKey(), header: { kid } }))).toEqual(badSignature);
      expect(await post(host, await token({ login, key: renewed }))).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
      const login2 = host.oneId.signIn();
      const idToken = await host.oneId.idToken({ clientId, login: login2, key: renewed });
      expect(await host.app.get(SessionRegistry).register({ idToken })).toMatchObject({ sid: login2.sid });
    });

    it('P13: forged tokens have used up the key fetches: a new key gets 503, and 200 after the cool-down', async () => {
      const { login, session } = await signIn(host);
      for (let n = 0; n < 3; n++) await post(host, await token({ key: await createSigningKey() }));
      const fetches = host.oneId.count(endpointPaths.jwks);
      await host.oneId.rotateKeys();
      const logoutToken = await token({ login });

      expect(await storingNothing(() => post(host, logoutToken))).toMatchObject({
        status: 503,
        body: { code: 'provider_unavailable' },
      });
      expect([await stateOf(host, session), host.oneId.count(endpointPaths.jwks)]).toEqual(['alive', fetches]);
      host.clock.advance(30_000);
      expect(await post(host, logoutToken)).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P12: a key set with entries that are no keys, and a key without kid: the logout counts', async () => {
      const { login, session } = await signIn(host);
      const { publicJwk, kid } = await host.oneId.rotateKeys();
      host.oneId.fail(endpointPaths.jwks, { body: JSON.stringify({ keys: [null, { ...publicJwk, kid: undefined }] }) });

      expect(await post(host, await token({ login, header: { kid } }))).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('BC-3: refuses a key that the provider does not know', async () => {
      const iat = host.clock.seconds - 60;

      expect(await refusalOf(await withClaims({ iat }, { key: await createSigningKey() }))).toEqual(noKey);
    });

    it('BC-3: tries all keys for a token without kid, and refuses it when no key fits and the keys are newer', async () => {
      const header = { kid: undefined };
      const iat = host.clock.seconds - 60;

      expect(await post(host, await token({ header }))).toEqual(delivered);
      expect(await refusalOf(await withClaims({ iat }, { header, key: await createSigningKey() }))).toEqual(
        badSignature,
      );
    });

    it('BC-3: fetches the keys again for a token with a new key, and accepts it', async () => {
      expect(await post(host, await token())).toEqual(delivered);
      host.clock.advance(HOUR / 2);
      await host.oneId.rotateKeys();

      expect(await post(host, await token())).toEqual(delivered);
    });
  });

  describe('BC-4: issuer, audience and times', () => {
    it('BC-4: refuses another iss, even if only the trailing slash differs', async () => {
      const { issuer } = host.oneId;
      for (const iss of ['https://evil.example/', `${issuer}/`, issuer.toUpperCase(), '', 7, [issuer]]) {
        expect(await refusalOf(await withClaims({ iss }))).toEqual(badIssuer);
      }
      const bare = issuer.slice(0, -1);
      expect(await refusalOf(await withClaims({ iss: bare }))).toEqual(
        refused('logout_token_issuer_unknown', `iss is '${bare}', but the provider's issuer is '${issuer}'`),
      );
    });

    it('BC-4: refuses an aud without our client, or with another client', async () => {
      for (const [aud, came] of [
        ['other', "'other'"],
        [[], 'an empty list'],
        [['other'], "'other'"],
        [[clientId, 'other'], "'app', 'other'"],
        [[clientId, null], "'app', null"],
        [null, 'null'],
        [{ 0: clientId }, 'a value of type object'],
        ['APP', "'APP'"],
      ] as const) {
        expect(await refusalOf(await withClaims({ aud }))).toEqual(badAudience(came));
      }
      expect(await post(host, await withClaims({ aud: clientId }))).toEqual(delivered);
      expect(await post(host, await withClaims({ aud: [clientId, clientId] }))).toEqual(delivered);
    });

    it('BC-4: refuses an iat that is in the future by more than the clock tolerance', async () => {
      const now = host.clock.seconds;

      expect(await post(host, await withClaims({ iat: now + 25 }))).toEqual(delivered);
      for (const iat of [now + 40, now * 1000, String(now), null, -1, true]) {
        expect(await refusalOf(await withClaims({ iat }))).toEqual(badIat);
      }
    });

    it('BC-4: accepts times with fractions (RFC 7519 §2)', async () => {
      const { login, session } = await signIn(host);
      const iat = host.clock.seconds + 0.5;

      expect(await post(host, await withClaims({ iat, sub: login.sub, sid: undefined }))).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('BC-4: accepts a token until exp plus the clock tolerance', async () => {
      const now = host.clock.seconds;

      expect(await post(host, await withClaims({ exp: now - 25 }))).toEqual(delivered);
      expect(await refusalOf(await withClaims({ exp: now - 31 }))).toEqual(badExp);
    });
  });

  describe('BC-5: sid and sub', () => {
    it.each([
      ['sid alone', (sid: string) => ({ sid, sub: undefined })],
      ['sub alone', (_: string, sub: string) => ({ sid: undefined, sub })],
      ['both', (sid: string, sub: string) => ({ sid, sub })],
    ])('BC-5: accepts %s', async (_name, claims) => {
      const { login, session } = await signIn(host);

      expect(await post(host, await withClaims(claims(login.sid, login.sub)))).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('BC-5: refuses a token without sid and sub, and a sid or sub that is not a non-empty string', async () => {
      expect(await refusalOf(await withClaims({ sid: undefined }))).toEqual(badSubject);
      for (const absent of ['', null]) {
        expect(await refusalOf(await withClaims({ sid: absent, sub: absent }))).toEqual(badSubject);
      }
      for (const wrong of [7, ['a'], {}, true, 'x'.repeat(256)]) {
        expect(await refusalOf(await withClaims({ sid: wrong }))).toEqual(badSubject);
        expect(await refusalOf(await withClaims({ sid: undefined, sub: wrong }))).toEqual(badSubject);
        expect(await refusalOf(await withClaims({ sid: 'good', sub: wrong }))).toEqual(badSubject);
      }
    });

    it.each([null, ''])(
      'BC-5, P7: a sid or sub that is %j counts as absent beside a good other one',
      async (absent) => {
        const { login, session } = await signIn(host);
        const { session: other } = await signIn(host, host.oneId.signIn({ sub: login.sub }));

        expect(await post(host, await withClaims({ sid: login.sid, sub: absent, exp: absent }))).toEqual(delivered);
        expect([await stateOf(host, session), await stateOf(host, other)]).toEqual(['logged_out', 'alive']);
        expect(await post(host, await withClaims({ sid: absent, sub: login.sub }))).toEqual(delivered);
        expect(await stateOf(host, other)).toBe('logged_out');
      },
    );
  });

  describe('BC-6: the claim events', () => {
    it.each([
      null,
      [],
      'logout',
      {},
      [backchannelLogoutEvent],
      { [backchannelLogoutEvent]: null },
      { [backchannelLogoutEvent]: [] },
      { [backchannelLogoutEvent]: true },
      { [backchannelLogoutEvent]: '{}' },
      { [`${backchannelLogoutEvent}/`]: {} },
      { [backchannelLogoutEvent.toUpperCase()]: {} },
    ])('BC-6: refuses events %j', async (events) => {
      expect(await refusalOf(await withClaims({ events }))).toEqual(badEvents);
    });

    it('BC-6: accepts other events, and members inside the event', async () => {
      const events = { [backchannelLogoutEvent]: { revoke_offline_access: true }, 'https://other.example/event': 1 };

      expect(await post(host, await withClaims({ events }))).toEqual(delivered);
    });
  });

  it.each(['n-0S6_WzA2Mj', '', null, false])('BC-7: refuses the nonce %j', async (nonce) => {
    expect(await refusalOf(await withClaims({ nonce }))).toEqual(
      refused('logout_token_nonce_present', 'nonce is not allowed'),
    );
  });

  describe('BC-8: the same token again', () => {
    it('BC-8: the same token again gets the same 200 and changes nothing, also when both requests arrive at the same time', async () => {
      const login = host.oneId.signIn();
      const refreshToken = host.oneId.refreshToken({ clientId, login });
      const idToken = await host.oneId.idToken({ clientId, login });
      await host.app.get(SessionRegistry).register({ idToken, refreshToken });
      const events: string[] = [];
      const subscription = host.app.get(SessionEvents).logouts.subscribe(({ channel }) => events.push(channel));
      const before = (await logoutsOf(host)).length;
      const logoutToken = await token({ login, shape: 'spec' });

      const answers = await Promise.all(Array.from({ length: 8 }, () => post(host, logoutToken)));
      const revoker = host.app.get(RefreshTokenRevoker);
      await revoker.wake();
      host.clock.advance(61_000);
      await revoker.wake();
      const stored = await storedIn(host);
      answers.push(await post(host, logoutToken));
      // a minute later, the library asks once more for the revocation
      host.clock.advance(50_000);
      answers.push(await post(host, logoutToken));
      await revoker.wake();
      subscription.unsubscribe();

      expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(delivered)]));
      // one of the sid, and one of the user's sessions without sid
      expect((await logoutsOf(host)).length - before).toBe(2);
      expect(await storedIn(host)).toEqual(stored);
      expect(events).toEqual(['backchannel', 'backchannel']);
      // P24: OneID is asked twice, and not again for the repeated logout
      expect(host.oneId.revoked.filter((revocation) => revocation.token === refreshToken)).toHaveLength(2);
    });

    it('BC-8: records a jti that is reused for another login too', async () => {
      const [first, second] = [await signIn(host), await signIn(host)];
      const jti = 'reused-jti';

      expect(await post(host, await withClaims({ jti }, { login: first.login }))).toEqual(delivered);
      expect(await post(host, await withClaims({ jti }, { login: second.login }))).toEqual(delivered);
      expect([await stateOf(host, first.session), await stateOf(host, second.session)]).toEqual([
        'logged_out',
        'logged_out',
      ]);
      const stored = await storedIn(host);
      expect(await post(host, await withClaims({ jti }, { login: second.login }))).toEqual(delivered);
      expect(await storedIn(host)).toEqual(stored);
    });

    it('BC-8: records a jti that is reused for a later logout of the same user', async () => {
      const jti = 'jti-of-a-user';
      const login = host.oneId.signIn({ sub: 'bob' });
      const logOut = async () => post(host, await withClaims({ jti, sub: 'bob', sid: undefined }));
      const first = await signIn(host, login);
      expect(await logOut()).toEqual(delivered);
      host.clock.advance(60_000);
      const second = await signIn(host, host.oneId.signIn({ sub: 'bob' }));
      expect(await stateOf(host, second.session)).toBe('alive');
      expect(await logOut()).toEqual(delivered);

      expect([await stateOf(host, first.session), await stateOf(host, second.session)]).toEqual([
        'logged_out',
        'logged_out',
      ]);
    });
  });

  describe('BC-9: typ', () => {
    it.each([undefined, 'JWT', 'jwt', 'logout+jwt', 'Logout+JWT', 'application/logout+jwt', 'application/jwt'])(
      'BC-9: accepts %j',
      async (typ) => {
        expect(await post(host, await token({ header: { typ } }))).toEqual(delivered);
      },
    );

    it.each(['at+jwt', 'secevent+jwt', 'id_token+jwt', '', 'JWT ', 7, null, ['JWT']])(
      'BC-9: refuses %j',
      async (typ) => {
        expect(await refusalOf(await token({ header: { typ } }))).toEqual(badTyp);
      },
    );
  });

  it('BC-10: a sid ends only this login, and a sub without sid ends all logins of the user', async () => {
    const sub = 'carol';
    const [phone, laptop] = [host.oneId.signIn({ sub }), host.oneId.signIn({ sub })];
    const [onPhone, onLaptop] = [await signIn(host, phone), await signIn(host, laptop)];

    await post(host, await token({ login: phone, shape: 'spec' }));
    expect([await stateOf(host, onPhone.session), await stateOf(host, onLaptop.session)]).toEqual([
      'logged_out',
      'alive',
    ]);
    await post(host, await withClaims({ sub, sid: undefined }));
    expect(await stateOf(host, onLaptop.session)).toBe('logged_out');
  });

  it('BC-11: answers 200 for a login that is unknown or has already ended', async () => {
    const { login, session } = await signIn(host);

    expect(await post(host, await token({ sid: 'never-seen' }))).toEqual(delivered);
    expect(await post(host, await token({ login }))).toEqual(delivered);
    expect(await post(host, await token({ login }))).toEqual(delivered);
    expect(await stateOf(host, session)).toBe('logged_out');
  });

  it('BC-12: answers exactly 200 on success, and 400 with error and error_description, never cached', async () => {
    expect(await post(host, await token())).toEqual({
      status: 200,
      contentType: null,
      cacheControl: 'no-store',
      retryAfter: null,
      body: '',
    });
    expect(await post(host, 'x')).toEqual({
      status: 400,
      contentType: 'application/json; charset=utf-8',
      cacheControl: 'no-store',
      retryAfter: null,
      body: {
        error: 'invalid_request',
        error_description: 'the logout token is not a signed JWT',
        code: 'logout_token_malformed',
      },
    });
  });

  it('BC-12: does not answer 304 to a conditional request', async () => {
    const response = await host.fetch('/backchannel_logout', {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'If-None-Match': '*' },
      body: `logout_token=${await token()}`,
    });

    expect([response.status, response.headers.get('etag')]).toEqual([200, null]);
  });

  describe('BC-13: the store or the keys are not available', () => {
    const storeIsGone = async (times: number) => {
      await host.settled();
      failNext(host.app.get(SessionDatabase, { strict: false }), times);
    };

    it("BC-13: answers 503 when the store fails, and 200 to OneID's later retry", async () => {
      const { login, session } = await signIn(host);
      const waits: number[] = [];
      await storeIsGone(2);

      const delivery = await host.oneId.deliver(`${host.url}/backchannel_logout`, await token({ login }), {
        wait: (milliseconds) => Promise.resolve(waits.push(milliseconds)),
      });

      expect(delivery.attempts.map(({ status }) => status)).toEqual([503, 503, 200]);
      expect(waits).toEqual([5000, 60_000]);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it("BC-13: answers 503 when the keys cannot be fetched, and 200 to OneID's retry after the cool-down", async () => {
      const { login, session } = await signIn(host);
      host.clock.advance(2 * HOUR);
      await host.oneId.rotateKeys({ keepOld: false });
      host.oneId.fail(endpointPaths.jwks, { status: 503, times: 1 });

      const delivery = await host.oneId.deliver(`${host.url}/backchannel_logout`, await token({ login }), {
        wait: (milliseconds) => {
          host.clock.advance(milliseconds);
          return Promise.resolve();
        },
      });

      expect(delivery.attempts.map(({ status }) => status)).toEqual([503, 200]);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('BC-13: the 503 has Retry-After and a code, and the library stores nothing', async () => {
      const answered = await storingNothing(async () => {
        const logoutToken = await token();
        await storeIsGone(1);
        return post(host, logoutToken);
      });

      expect(answered).toEqual(temporarilyUnavailable('store_unavailable'));
    });

    it("BC-13: answers 503 while the provider's keys are not available, then 200", async () => {
      host.clock.advance(2 * HOUR);
      await host.oneId.rotateKeys({ keepOld: false });
      host.oneId.fail(endpointPaths.jwks, { status: 500 });
      const logoutToken = await token();

      expect(await storingNothing(() => post(host, logoutToken))).toEqual(
        temporarilyUnavailable('provider_unavailable'),
      );
      host.oneId.heal();
      expect(await post(host, logoutToken)).toEqual(delivered);
    });

    it('BC-13: refuses an invalid token with 400, also while the keys are not available', async () => {
      host.oneId.fail('*', { status: 500 });

      expect(await refusalOf(await withClaims({ nonce: 'n' }))).toMatchObject({ status: 400 });
    });
  });

  it('BC-16: ignores unknown claims', async () => {
    const unknown = { foo: 'bar', toe: 1, txn: null, __proto__: { x: 1 }, constructor: 'x' };

    expect(await post(host, await withClaims(unknown))).toEqual(delivered);
  });

  describe('attacks', () => {
    it('attack 1: refuses an ID token, an access token or another SET in place of a logout token', async () => {
      const login = host.oneId.signIn();
      expect(await refusalOf(await host.oneId.idToken({ clientId, login }))).toEqual(badEvents);
      expect(await refusalOf(await host.oneId.accessToken({ clientId, login, audience: [clientId] }))).toEqual(
        badEvents,
      );
      expect(
        await refusalOf(
          await withClaims({ events: { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} } }),
        ),
      ).toEqual(badEvents);
    });

    it('attack 1: refuses a logout token in place of an ID token', async () => {
      const registry = host.app.get(SessionRegistry);
      const claims = { sub: 'eve', exp: host.clock.seconds + 3600 };
      for (const typ of ['JWT', undefined, 'logout+jwt']) {
        const logoutToken = await token({ claims, header: { typ } });
        await storingNothing(() =>
          expect(registry.register({ idToken: logoutToken })).rejects.toBeInstanceOf(InvalidIdTokenError),
        );
      }
    });

    it('attack 2: many tokens with unknown keys cause three fetches at once, then one per cool-down', async () => {
      await post(host, await token());
      host.clock.advance(BUDGET_FULL);
      const key = await createSigningKey();
      const flood = async () =>
        Promise.all(
          Array.from({ length: 20 }, async (_, n) => post(host, await token({ key, header: { kid: `k${n}` } }))),
        );
      host.oneId.clearRequests();

      for (let n = 0; n < 5; n++) await flood();
      expect(host.oneId.requests.map(({ path }) => path)).toEqual(Array(3).fill(endpointPaths.jwks));
      host.clock.advance(31_000);
      for (let n = 0; n < 5; n++) await flood();
      expect(host.oneId.requests.map(({ path }) => path)).toEqual(Array(4).fill(endpointPaths.jwks));
    });

    it('attack 2: failed fetches count, too', async () => {
      host.oneId.fail(endpointPaths.jwks, { status: 503 });
      host.oneId.clearRequests();
      const key = await createSigningKey();

      for (let n = 0; n < 10; n++) {
        expect(await post(host, await token({ key }))).toEqual(temporarilyUnavailable('provider_unavailable'));
      }
      expect(host.oneId.count(endpointPaths.jwks)).toBe(3);
    });

    it('attack 3: ignores keys and URLs inside a token', async () => {
      const evil = await cleanup.oneId();
      const key = await createSigningKey();
      const urls = { jku: evil.url(endpointPaths.jwks), x5u: evil.url('/cert'), jwk: key.publicJwk, x5c: ['MIIB'] };
      const { kid } = host.oneId.signingKey;

      expect(await refusalOf(await token({ key, header: { ...urls, kid } }))).toEqual(badSignature);
      expect(await post(host, await token({ header: urls }))).toEqual(delivered);
      expect(evil.requests).toEqual([]);
    });

    it.each([['exp'], ['b64'], [], 'b64', ['https://unknown.example']])('attack 3: refuses crit %j', async (crit) => {
      expect(await refusalOf(await token({ header: { crit, b64: true } }))).toEqual(
        refused('logout_token_crit_not_supported', 'crit names an unsupported extension'),
      );
    });

    it('attack 4: refuses a body that is too large, and keeps the connection open', async () => {
      for (const size of [70_000, 2_000_000]) {
        const answered = await storingNothing(() => postRaw(host, `logout_token=${'x'.repeat(size)}`));
        expect(answered).toMatchObject({ status: 400, cacheControl: 'no-store' });
        expect(answered.body).toMatchObject({ error: 'invalid_request' });
      }
      expect(await refusalOf(`${'x'.repeat(9000)}.${'y'.repeat(9000)}.z`)).toEqual(badForm);
    });

    it('attack 4: refuses a logout_token that is given twice, as a list or as an object', async () => {
      const good = await token();
      const bodies: [string, string][] = [
        [`logout_token=${good}&logout_token=${good}`, 'logout_request_malformed'],
        [`logout_token=x&logout_token=${good}`, 'logout_request_malformed'],
        [`logout_token[]=${good}`, 'logout_token_missing'],
        [`logout_token[0]=${good}`, 'logout_token_missing'],
        [`logout_token[a]=${good}`, 'logout_token_missing'],
        [`logout_token[__proto__]=${good}`, 'logout_token_missing'],
        [`logout_token=${good}&logout_token[]=${good}`, 'logout_request_malformed'],
      ];
      for (const [body, code] of bodies) {
        const answered = await storingNothing(() => postRaw(host, body));
        expect([body, answered.status, answered.body]).toEqual([body, 400, expect.objectContaining({ code })]);
      }
    });

    it('attack 4: refuses a text that is not a signed JWT', async () => {
      const { signingKey } = host.oneId;
      const tokens = [
        'x',
        '..',
        'a.b.c',
        'a.b.c.d',
        'a.b.c.d.e',
        'a.b.c.d.e.f',
        '.'.repeat(10_000),
        `${await token()}.`,
        `${await token()}=`.replace('.', '..'),
        signCompact('null', signingKey),
        signCompact('[]', signingKey),
        signCompact('"x"', signingKey),
        signCompact('{"iss":', signingKey),
        signCompact('\u0000', signingKey),
      ];
      for (const wrong of tokens) expect(await refusalOf(wrong)).toEqual(badForm);
    });

    it('attack 4: refuses an encrypted token when the options name no encryption', async () => {
      const key = new Uint8Array(32);
      const notAgreed = refused(
        'logout_token_encryption_not_allowed',
        "the logout token does not have the encryption that the options name: it has 'dir' with 'A256GCM', which no client's logoutTokenEncryption names",
      );

      expect(await refusalOf(await token({ encryptTo: { key, alg: 'dir', enc: 'A256GCM' } }))).toEqual(notAgreed);
      const pbes2 = { key: new Uint8Array(16), alg: 'PBES2-HS256+A128KW' };
      expect((await refusalOf(await token({ encryptTo: pbes2 }))).body).toMatchObject({
        code: 'logout_token_encryption_not_allowed',
      });
    });

    it('attack 7: answers do not tell known logins from unknown ones', async () => {
      const { login } = await signIn(host);

      expect(await post(host, await token({ login }))).toEqual(await post(host, await token({ sid: 'unknown' })));
    });
  });
});

describe('back-channel logout of other clients', () => {
  it("BC-2: requires exp when the client's options say so", async () => {
    const host = await cleanup.host({ client: { requireLogoutTokenExp: true } });
    const token = (claims: Claims) => host.oneId.logoutToken({ clientId, sid: 's', claims });

    expect(await post(host, await token({}))).toEqual(refused('logout_token_exp_missing', 'exp is missing'));
    expect(await post(host, await token({ exp: host.clock.seconds - 31 }))).toEqual(badExp);
    expect((await storedIn(host)).logouts).toEqual([]);
    expect(await post(host, await token({ exp: host.clock.seconds + 120 }))).toEqual(delivered);
  });

  it('BC-9: the strict option accepts only logout+jwt', async () => {
    const host = await cleanup.host({ client: { strictLogoutTokenTyp: true } });
    const token = (typ: unknown) => host.oneId.logoutToken({ clientId, sid: 's', header: { typ } });

    for (const typ of [undefined, 'JWT', 'application/jwt']) expect(await post(host, await token(typ))).toEqual(badTyp);
    expect((await storedIn(host)).logouts).toEqual([]);
    for (const typ of ['logout+jwt', 'application/logout+jwt', 'LOGOUT+JWT']) {
      expect(await post(host, await token(typ))).toEqual(delivered);
    }
  });

  it.each(databases)('BC-10: with the scope "user" a sid ends all sessions of its user, on $name', async (database) => {
    const host = await cleanup.host({ database, client: { logoutScope: 'user' } });
    const [phone, laptop] = [host.oneId.signIn({ sub: 'dave' }), host.oneId.signIn({ sub: 'dave' })];
    const other = await signIn(host, host.oneId.signIn({ sub: 'erin' }));
    const [onPhone, onLaptop] = [await signIn(host, phone), await signIn(host, laptop)];

    const logoutToken = await host.oneId.logoutToken({ clientId, login: phone });
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect(await stateOf(host, onPhone.session)).toBe('logged_out');
    expect(await stateOf(host, onLaptop.session)).toBe('logged_out');
    expect(await stateOf(host, other.session)).toBe('alive');
    const { issuer } = host.oneId;
    expect((await logoutsOf(host)).map(({ target, issuedUntil }) => [target, issuedUntil !== null]).sort()).toEqual(
      [
        [targetOf('sid', issuer, phone.sid), false],
        [targetOf('sub', issuer, 'dave'), true],
      ].sort(),
    );
    const stored = await storedIn(host);
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect(await storedIn(host)).toEqual(stored);

    host.clock.advance(5_000);
    const again = await signIn(host, host.oneId.signIn({ sub: 'dave' }));
    expect(await stateOf(host, again.session)).toBe('alive');
  });

  it('BC-10: with the scope "user", a token with sid and sub ends the login and the user in one statement', async () => {
    const host = await cleanup.host({ client: { logoutScope: 'user' } });
    const onPhone = await signIn(host, host.oneId.signIn({ sub: 'dave' }));
    const login = host.oneId.signIn({ sub: 'dave' });

    expect(await post(host, await host.oneId.logoutToken({ clientId, login, shape: 'spec' }))).toEqual(delivered);
    expect(await stateOf(host, onPhone.session)).toBe('logged_out');
  });

  it.each(['PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519', 'RS512'])('BC-3: %s is pinned per client', async (alg) => {
    const host = await cleanup.host({ client: { idTokenSignedResponseAlg: alg } });
    const rs256 = await host.oneId.addKey('RS256');
    await host.oneId.rotateKeys({ alg });

    expect(await post(host, await host.oneId.logoutToken({ clientId, sid: 's', key: rs256 }))).toEqual(badAlg);
    expect((await storedIn(host)).logouts).toEqual([]);
    expect(await post(host, await host.oneId.logoutToken({ clientId, sid: 's' }))).toEqual(delivered);
  });
});

describe('back-channel logout of clients with keys of their own', () => {
  it.each(databases)('BC-3: HS256 uses only the client secret, and never the JWKS, on $name', async (database) => {
    const secret = 'a client secret of 32 bytes, or more';
    const host = await cleanup.host({
      database,
      client: { clientAuthentication: { clientSecret: secret }, idTokenSignedResponseAlg: 'HS256' },
    });
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login, key: { secret } });
    const session = await host.app.get(SessionRegistry).register({ idToken });
    const before = await storedIn(host);

    for (const key of [
      { secret: host.oneId.signingKey.publicPem },
      { secret: JSON.stringify(host.oneId.jwks.keys[0]) },
    ]) {
      expect(await post(host, await host.oneId.logoutToken({ clientId, login, key }))).toEqual(badSecret);
    }
    expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(badAlg);
    expect(await storedIn(host)).toEqual(before);
    expect(await post(host, await host.oneId.logoutToken({ clientId, login, key: { secret } }))).toEqual(delivered);
    expect(await stateOf(host, session)).toBe('logged_out');
    expect(host.oneId.count(endpointPaths.jwks)).toBe(0);
  });

  it.each(databases)(
    'BC-14: accepts only encrypted tokens when the options name an encryption, on $name',
    async (database) => {
      const alg = 'RSA-OAEP-256';
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const key = await exportJWK(publicKey);
      const host = await cleanup.host({
        database,
        client: { idTokenEncryption: { alg, enc: 'A256GCM', privateKeys: [await exportJWK(privateKey)] } },
      });
      const login = host.oneId.signIn();
      const idToken = await host.oneId.idToken({ clientId, login, encryptTo: { key } });
      const session = await host.app.get(SessionRegistry).register({ idToken });
      const before = await storedIn(host);
      const notAgreed = (fault: string) =>
        refused(
          'logout_token_encryption_not_allowed',
          `the logout token does not have the encryption that the options name: it has ${fault}`,
        );

      expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(
        notAgreed("none, the client's logoutTokenEncryption expects RSA-OAEP-256 with A256GCM"),
      );
      for (const [encryptTo, came] of [
        [{ key, enc: 'A128GCM' }, "'RSA-OAEP-256' with 'A128GCM'"],
        [{ key, alg: 'RSA-OAEP' }, "'RSA-OAEP' with 'A256GCM'"],
        [
          { key: new TextEncoder().encode('the-secret-of-app'), alg: 'PBES2-HS512+A256KW' },
          "'PBES2-HS512+A256KW' with 'A256GCM'",
        ],
      ] as const) {
        expect(await post(host, await host.oneId.logoutToken({ clientId, login, encryptTo }))).toEqual(
          notAgreed(`${came}, which no client's logoutTokenEncryption names`),
        );
      }
      const { publicKey: another } = await generateKeyPair(alg);
      expect(await post(host, await host.oneId.logoutToken({ clientId, login, encryptTo: { key: another } }))).toEqual(
        refused('logout_token_decryption_failed', 'the logout token cannot be decrypted'),
      );
      const inside = { clientId, login, encryptTo: { key }, key: await host.oneId.addKey('ES256') };
      expect(await post(host, await host.oneId.logoutToken(inside))).toEqual(badAlg);
      expect(await storedIn(host)).toEqual(before);

      const good = await host.oneId.logoutToken({ clientId, login, encryptTo: { key }, claims: { jti: 'j' } });
      const resent = await host.oneId.logoutToken({ clientId, login, encryptTo: { key }, claims: { jti: 'j' } });
      expect([await post(host, good), await post(host, good), await post(host, resent)]).toEqual([
        delivered,
        delivered,
        delivered,
      ]);
      expect(await stateOf(host, session)).toBe('logged_out');
      expect((await host.stored()).logouts).toHaveLength(1);
    },
  );
});

describe('back-channel logout of several issuers and clients', () => {
  const setUp = async () => {
    const [a, b] = [await cleanup.oneId(), await cleanup.oneId()];
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const host = await cleanup.host({
      options: {
        clients: [
          { issuer: a.issuer, clientId, postLogoutRedirectUri },
          { issuer: a.issuer, clientId: 'second', postLogoutRedirectUri },
          { issuer: b.issuer, clientId, postLogoutRedirectUri },
        ],
      },
    });
    return { a, b, host };
  };

  it('BC-8, attack 6: equal sid, sub and jti of two issuers are different', async () => {
    const { a, b, host } = await setUp();
    const login = { sub: 'same-sub', sid: 'same-sid' };
    const registry = host.app.get(SessionRegistry);
    const atA = await registry.register({ idToken: await a.idToken({ clientId, ...login }) });
    const atB = await registry.register({ idToken: await b.idToken({ clientId, ...login }) });
    const claims = { jti: 'same-jti' };

    expect(await post(host, await a.logoutToken({ clientId, ...login, claims }))).toEqual(delivered);
    expect([await stateOf(host, atA), await stateOf(host, atB)]).toEqual(['logged_out', 'alive']);
    expect(await post(host, await b.logoutToken({ clientId, ...login, claims }))).toEqual(delivered);
    expect([await stateOf(host, atA), await stateOf(host, atB)]).toEqual(['logged_out', 'logged_out']);
  });

  it('BC-8: equal jti of two clients are different', async () => {
    const { a, host } = await setUp();
    const claims = { jti: 'same-jti' };

    expect(await post(host, await a.logoutToken({ clientId, sid: 's', claims }))).toEqual(delivered);
    expect(await post(host, await a.logoutToken({ clientId: 'second', sid: 's', claims }))).toEqual(delivered);
    expect((await storedIn(host)).logouts).toHaveLength(2);
  });

  it('attack 6: an issuer cannot end logins of another issuer', async () => {
    const { a, b, host } = await setUp();
    const key = b.signingKey;
    // the library fetches the keys before the token is made, so that the key is really unknown
    expect(await post(host, await a.logoutToken({ clientId, sid: 'warm-up' }))).toEqual(delivered);
    const stored = await storedIn(host);
    const iat = Math.floor(Date.now() / 1000) - 60;

    expect(await post(host, await a.logoutToken({ clientId, sid: 's', key, claims: { iat } }))).toEqual(noKey);
    expect(await post(host, await b.logoutToken({ clientId: 'second', sid: 's' }))).toEqual(badAudience("'second'"));
    expect(await storedIn(host)).toEqual(stored);
  });

  it('BC-4: accepts an aud that names two clients of this app', async () => {
    const { a, host } = await setUp();

    expect(
      await post(host, await a.logoutToken({ clientId, sid: 's', claims: { aud: [clientId, 'second'] } })),
    ).toEqual(delivered);
  });
});

describe('back-channel logout while the provider has trouble', () => {
  it('BC-13: answers 503 when discovery fails, asks once per cool-down, and answers 200 later', async () => {
    const host = await cleanup.host();
    host.oneId.fail(endpointPaths.discovery, { status: 500 });
    const logoutToken = await host.oneId.logoutToken({ clientId, sid: 's' });

    for (let n = 0; n < 10; n++) {
      const retryAfter = n === 0 ? '5' : '60';
      expect(await post(host, logoutToken)).toEqual(temporarilyUnavailable('provider_unavailable', retryAfter));
    }
    expect(host.oneId.requests.map(({ path }) => path)).toEqual([endpointPaths.discovery]);
    expect((await storedIn(host)).logouts).toEqual([]);
    host.oneId.heal();
    host.clock.advance(10_000);
    expect(await post(host, logoutToken)).toEqual(delivered);
  });

  it('P16, P37: the app answers 503 and logs the fault until the configuration fits', async () => {
    const host = await cleanup.host();
    host.oneId.setMetadata({ issuer: 'https://login.example/{tenantid}/v2.0' });
    const logoutToken = await host.oneId.logoutToken({ clientId, sid: 's' });

    expect(await post(host, logoutToken)).toEqual(temporarilyUnavailable('provider_misconfigured'));
    expect((await storedIn(host)).logouts).toEqual([]);
    host.oneId.setMetadata({ issuer: host.oneId.issuer });
    host.clock.advance(10_000);
    // also when the provider does not send it again
    await host.app.get(UndecidedTokens, { strict: false }).wake();
    expect((await storedIn(host)).logouts).toHaveLength(1);
    expect(await post(host, logoutToken)).toEqual(delivered);
  });

  it('P17: sends all requests to the provider by the fetch of the options', async () => {
    const asked: string[] = [];
    const host = await cleanup.host({
      options: {
        fetch: (url, init) => {
          asked.push(`${init?.method ?? 'GET'} ${new URL(url).pathname}`);
          return fetch(url, init);
        },
      },
    });
    const login = host.oneId.signIn();
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    const idToken = await host.oneId.idToken({ clientId, login });
    await host.app.get(SessionRegistry).register({ idToken, refreshToken });
    expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(delivered);
    await host.settled();

    expect(host.oneId.revoked.map(({ token }) => token)).toEqual([refreshToken]);
    const paths = [endpointPaths.discovery, endpointPaths.jwks, endpointPaths.revocation];
    expect(asked).toEqual([`GET ${paths[0]}`, `GET ${paths[1]}`, `POST ${paths[2]}`]);
    expect(host.oneId.requests.map(({ path }) => path)).toEqual(paths);
  });

  it('BC-13: the guard still checks known sessions while the provider is down', async () => {
    const host = await cleanup.host();
    const { session } = await signIn(host);
    host.clock.advance(2 * HOUR);
    host.oneId.fail('*', { reset: true });

    expect(await stateOf(host, session)).toBe('alive');
  });

  it('attack 2: fetches nothing for a token of an unknown issuer', async () => {
    const host = await cleanup.host();
    const stranger = await cleanup.oneId();

    for (let n = 0; n < 10; n++) {
      expect(await post(host, await stranger.logoutToken({ clientId, sid: 's' }))).toEqual(badIssuer);
    }
    expect([host.oneId.requests, stranger.requests]).toEqual([[], []]);
  });
});

describe('back-channel logout and the log', () => {
  it('attack 7: no log entry and no answer shows a token, a sid, a sub or a secret', async () => {
    const log: string[] = [];
    const write = (...parts: unknown[]) => void log.push(parts.map(String).join(' '));
    const host = await cleanup.host({
      configure: (app: INestApplication) =>
        app.useLogger({ log: write, error: write, warn: write, debug: write, verbose: write, fatal: write }),
    });
    const login = host.oneId.signIn({ sub: 'the-secret-sub', sid: 'the-secret-sid' });
    const { idToken } = await signIn(host, login);
    const tokens = await Promise.all([
      host.oneId.logoutToken({ clientId, login, shape: 'spec' }),
      host.oneId.logoutToken({ clientId, login, claims: { jti: 'the-secret-jti' } }),
      host.oneId.logoutToken({ clientId, sid: 'the-secret-sid-2', claims: { jti: 'the-secret-jti' } }),
      host.oneId.logoutToken({ clientId, login, claims: { events: {} } }),
      host.oneId.logoutToken({ clientId, login, key: { secret: 'x' } }),
      host.oneId.logoutToken({ clientId, login, key: await createSigningKey(), header: { typ: 'the-secret-typ' } }),
    ]);
    const bodies = [...tokens, idToken].map(async (token) => JSON.stringify(await post(host, token)));
    const answers = await Promise.all(bodies);
    failNext(host.app.get(SessionDatabase, { strict: false }));
    answers.push(JSON.stringify(await post(host, await host.oneId.logoutToken({ clientId, login }))));
    jest.restoreAllMocks();

    const written = [...log, ...answers].join('\n');
    expect(written).toMatch(
      'Refused a logout token: logout_token_events_invalid: events does not contain the logout event',
    );
    expect(written).toMatch('the database is gone');
    expect(written).toMatch('has reused the jti');
    expect(written).not.toMatch(/the-secret/);
    for (const token of [...tokens, idToken])
      for (const part of token.split('.')) expect(written).not.toContain(part || '§');
  });
});
