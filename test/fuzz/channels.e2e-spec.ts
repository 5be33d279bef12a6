import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backchannelLogoutEvent } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { clientId, Host } from '../support/host.js';
import { shareAmongTests } from '../support/share-among-tests.js';
import { fuzzParameters } from './fuzz-parameters.js';

let host: Host;
let session: string;

shareAmongTests(
  () => Host.start(),
  async (started) => {
    host = started;
    ({ session } = await host.signIn());
  },
);

async function logoutsStored(): Promise<number> {
  const { rows } = await host.app
    .get(SessionDatabase, { strict: false })
    .run('SELECT COUNT(*) AS stored FROM oneid_logout');
  return Number(rows[0]?.['stored']);
}

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>): Promise<number> {
  const response = await host.fetch('/backchannel_logout', { method: 'POST', body, headers });
  await response.arrayBuffer();
  return response.status;
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const postToken = (token: string) => post(new URLSearchParams({ logout_token: token }).toString(), form);

/** Checks that the library refused the request and stored nothing, and that the session is still alive. */
async function expectRefused(status: number): Promise<void> {
  expect(status).toBe(400);
  expect(await logoutsStored()).toBe(0);
}

/** A value of any JSON type. */
const anything = fc.jsonValue({ maxDepth: 2 });
const segment = fc.oneof(fc.base64String({ maxLength: 60 }), fc.string({ maxLength: 60 }), fc.constant(''));

describe('the back-channel with random requests', () => {
  it('refuses bytes', async () => {
    const contentType = fc.constantFrom(
      'application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded; charset=utf-8',
      'application/x-www-form-urlencoded; charset=klingon',
      'application/json',
      'text/plain',
      'multipart/form-data; boundary=x',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), contentType, async (bytes, type) => {
        await expectRefused(await post(new Uint8Array(bytes), { 'content-type': type }));
      }),
      fuzzParameters(),
    );
  });

  it('refuses forms', async () => {
    const name = fc.oneof(
      fc.constantFrom('logout_token', 'logout_token[]', 'logout_token[a]', '__proto__'),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, fc.string()), { maxLength: 5 }), async (fields) => {
        await expectRefused(await post(new URLSearchParams(fields).toString(), form));
      }),
      fuzzParameters(),
    );
  });

  it('refuses texts that look like a token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 6 }), async (segments) => {
        await expectRefused(await postToken(segments.join('.')));
      }),
      fuzzParameters(),
    );
  });

  it('refuses unsigned tokens with any header and claims', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const header = fc.oneof(
      anything,
      fc.record({ alg: fc.oneof(anything, fc.constant('RS256')), typ: anything, kid: anything }),
    );
    const claims = fc.oneof(
      anything,
      fc
        .record({
          aud: fc.oneof(anything, fc.constant(clientId)),
          iat: anything,
          jti: anything,
          sid: anything,
          events: anything,
        })
        .map((rest) => ({ iss: host.oneId.issuer, ...rest })),
    );
    await fc.assert(
      fc.asyncProperty(header, claims, segment, async (head, body, signature) => {
        await expectRefused(await postToken(`${encode(head)}.${encode(body)}.${signature}`));
      }),
      fuzzParameters(),
    );
  });

  it('refuses a signed token with one invalid claim or header member', async () => {
    const notString = anything.filter((value) => typeof value !== 'string' || value === '');
    // P7: beside a good sid, an optional claim that is null or empty counts as absent
    const isPresent = (value: unknown) => value !== null && value !== '';
    const notIssuer = anything.filter((value) => value !== host.oneId.issuer);
    const notAudience = anything.filter((value) => value !== clientId && JSON.stringify(value) !== `["${clientId}"]`);
    const notTime = fc.oneof(
      anything.filter((value) => typeof value !== 'number'),
      fc.integer({ max: 1_000_000 }),
      fc.constantFrom(1e300, -1, 4e9),
    );
    const notEvents = anything.filter(
      (value) => JSON.stringify(value) !== JSON.stringify({ [backchannelLogoutEvent]: {} }),
    );
    const notObject = anything.filter((value) => typeof value !== 'object' || value === null || Array.isArray(value));
    const mutation = fc.oneof(
      notIssuer.map((iss) => ({ claims: { iss } })),
      notAudience.map((aud) => ({ claims: { aud } })),
      notTime.map((iat) => ({ claims: { iat } })),
      notTime.filter((exp) => exp !== 4e9 && exp !== 1e300 && isPresent(exp)).map((exp) => ({ claims: { exp } })),
      notString.map((jti) => ({ claims: { jti } })),
      notString.map((sid) => ({ claims: { sid } })),
      notString.filter(isPresent).map((sub) => ({ claims: { sub } })),
      notEvents.map((events) => ({ claims: { events } })),
      notObject.map((event) => ({ claims: { events: { [backchannelLogoutEvent]: event } } })),
      anything.map((nonce) => ({ claims: { nonce } })),
      fc.constantFrom('iss', 'aud', 'iat', 'jti', 'sid', 'events').map((name) => ({ claims: { [name]: undefined } })),
      anything.filter((alg) => alg !== 'RS256').map((alg) => ({ header: { alg } })),
      anything
        .filter((typ) => typeof typ !== 'string' || !/^(application\/)?(logout\+)?jwt$/i.test(typ))
        .map((typ) => ({ header: { typ } })),
      anything.map((crit) => ({ header: { crit } })),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async (overrides) => {
        const token = await host.oneId.logoutToken({ clientId, sid: 'a-sid', ...overrides });
        await expectRefused(await postToken(token));
      }),
      fuzzParameters(),
    );
  });

  it('refuses a valid token with one character changed', async () => {
    const token = await host.oneId.logoutToken({ clientId, sid: 'a-sid' });
    // a token with an unknown key gets 503 until the keys are newer than the token, because it may be valid
    host.clock.advance(31_000);
    expect(await postToken(await host.oneId.logoutToken({ clientId, sid: 'a-sid', header: { kid: 'none' } }))).toBe(
      400,
    );
    // the last character of a signature has bits without a meaning
    const position = fc.nat({ max: token.length - 2 });
    const character = fc.constantFrom(
      ...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=% '),
    );
    await fc.assert(
      fc.asyncProperty(position, character, async (at, by) => {
        fc.pre(token[at] !== by);
        await expectRefused(await postToken(token.slice(0, at) + by + token.slice(at + 1)));
      }),
      fuzzParameters(),
    );
  });
});

describe("the browser's routes with random requests", () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('', 'http://127.0.0.1/', '../', '//evil.example', '%00', 'null'));
  const query = fc.array(
    fc.tuple(fc.oneof(fc.constantFrom('iss', 'sid', 'state', 'iss[]', 'sid[a]'), fc.string()), value),
    {
      maxLength: 5,
    },
  );

  it('the front-channel answers 200 or 400 and stores nothing', async () => {
    await fc.assert(
      fc.asyncProperty(query, async (fields) => {
        const response = await host.fetch(`/frontchannel_logout?${new URLSearchParams(fields).toString()}`);
        expect([200, 400]).toContain(response.status);
        expect(response.headers.get('cache-control')).toBe('no-store');
        expect(await logoutsStored()).toBe(0);
      }),
      fuzzParameters(),
    );
  });

  it('the return from a logout leads to the default page', async () => {
    await fc.assert(
      fc.asyncProperty(query, fc.base64String(), async (fields, cookie) => {
        const response = await host.fetch(`/logout/callback?${new URLSearchParams(fields).toString()}`, {
          headers: { cookie: `oneid-logout-x=${cookie}` },
        });
        expect(response.status).toBe(303);
        expect(response.headers.get('location')).toBe('/');
      }),
      fuzzParameters(),
    );
  });

  it('the guard lets in only the alive session', async () => {
    const cookie = fc.oneof(
      fc.base64String(),
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 64, maxLength: 64 }),
      fc.constantFrom('session', 'session=', 'session=;session='),
    );
    await fc.assert(
      fc.asyncProperty(cookie, async (text) => {
        const response = await host.fetch('/me', { headers: { cookie: `session=${text}` } });
        expect(response.status).toBe(401);
      }),
      fuzzParameters(),
    );
    expect((await host.fetch('/me', { session })).status).toBe(200);
  });
});
