import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { until } from '../../../../test/support/until.js';
import { OneIdTestProvider } from '../testing/index.js';
import { TestClock } from '../../../../test/support/test-clock.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { providerFetch } from './provider-fetch.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

describe('providerFetch', () => {
  let oneId: OneIdTestProvider;
  const path = '/somewhere';
  const clock = new TestClock(0);
  const fetched = providerFetch(clock);
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({ signingKey: await suiteKey() });
  });
  afterEach(() => {
    oneId.heal();
    oneId.clearRequests();
  });
  afterAll(() => oneId.close());

  it('returns status, headers and body, with every status', async () => {
    oneId.fail(path, { status: 418, body: 'tea', headers: { 'X-Tea': 'pot' } });
    const response = await fetched(oneId.url(path), { method: 'POST', body: 'a=1' });

    expect([response.status, response.headers.get('x-tea'), await response.text()]).toEqual([418, 'pot', 'tea']);
    expect(oneId.requests[0]).toMatchObject({ method: 'POST', body: 'a=1' });
  });

  it.each([302, 303, 307])('does not follow a %d', async (status) => {
    oneId.fail(path, { status, redirectTo: oneId.url('/elsewhere') });

    await expect(fetched(oneId.url(path))).rejects.toThrow('/somewhere answered with a redirect');
    expect(oneId.requests).toHaveLength(1);
  });

  it.each([301, 308])('does not follow a %d, and says that it lasts', async (status) => {
    oneId.fail(path, { status, redirectTo: oneId.url('/elsewhere') });

    const error: unknown = await fetched(oneId.url(path)).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({
      code: 'provider_misconfigured',
      status: 500,
      message: "The provider's URL has changed",
    });
    expect(reasonOf(error)).toBe(
      `/somewhere answered with a redirect: ${oneId.url(path)} has moved to '${oneId.url('/elsewhere')}'. Put the new URL into the options`,
    );
    expect(oneId.requests).toHaveLength(1);
  });

  it('accepts 512 KiB and refuses more, compressed or not', async () => {
    oneId.fail(
      path,
      { bodyBytes: 512 * 1024, times: 1 },
      { bodyBytes: 512 * 1024 + 1, times: 1 },
      {
        body: gzipSync(Buffer.alloc(1024 * 1024)),
        headers: { 'Content-Encoding': 'gzip' },
      },
    );
    const tooMuch = '/somewhere answered with more than 524288 bytes';

    expect((await (await fetched(oneId.url(path))).text()).length).toBe(512 * 1024);
    await expect(fetched(oneId.url(path))).rejects.toThrow(tooMuch);
    await expect(fetched(oneId.url(path))).rejects.toThrow(tooMuch);
  });

  it.each([true, 'body'] as const)('stops waiting after the time limit (hang: %s)', async (hang) => {
    oneId.fail(path, { hang });

    const answer = fetched(oneId.url(path));
    const refused = expect(answer).rejects.toThrow('/somewhere did not answer within 5000 ms');
    await until('the provider is asked', () => oneId.count(path) > 0);
    clock.advance(5_000);
    await refused;
  });

  describe('P17: with a fetch of the app', () => {
    const of = (answer: (init: RequestInit) => Promise<Response>) =>
      providerFetch(clock, (_url, init = {}) => answer(init))(oneId.url(path), { headers: { a: 'b' } });

    it('P17: passes the request on, without following redirects', async () => {
      const seen: RequestInit[] = [];
      const response = await of((init) => {
        seen.push(init);
        return Promise.resolve(new Response('x', { status: 201, headers: { c: 'd' } }));
      });

      expect(seen).toEqual([{ headers: { a: 'b' }, redirect: 'manual', signal: expect.any(AbortSignal) as unknown }]);
      expect([response.status, response.headers.get('c'), await response.text()]).toEqual([201, 'd', 'x']);
      expect(oneId.requests).toEqual([]);
    });

    it('P17: refuses an answer of another URL, when the fetch has followed a redirect', async () => {
      const followed = Object.defineProperty(new Response('x'), 'redirected', { value: true });
      await expect(of(() => Promise.resolve(followed))).rejects.toThrow('/somewhere answered with a redirect');
    });

    it("P17: refuses a redirect also when the body is one of Node's own streams, as in node-fetch", async () => {
      const body = Readable.from(['x']);
      const redirect = Object.defineProperty(new Response(null, { status: 302 }), 'body', { value: body });
      await expect(of(() => Promise.resolve(redirect))).rejects.toThrow('/somewhere answered with a redirect');
      expect(body.destroyed).toBe(true);
    });

    it('P17: refuses more than 512 KiB', async () => {
      await expect(of(() => Promise.resolve(new Response('x'.repeat(512 * 1024 + 1))))).rejects.toThrow(
        '/somewhere answered with more than 524288 bytes',
      );
    });

    it.each<[string, () => Promise<Response>]>([
      ['never answers', () => new Promise(() => undefined)],
      ['never ends its answer', () => Promise.resolve(new Response(new ReadableStream()))],
    ])('P17: stops waiting for a fetch that ignores the signal and %s', async (_name, answer) => {
      const refused = expect(of(answer)).rejects.toThrow('/somewhere did not answer within 5000 ms');
      clock.advance(5_000);
      await refused;
    });

    it('P17: passes on what the fetch throws', async () => {
      const proxyDown = new Error('proxy down');
      await expect(of(() => Promise.reject(proxyDown))).rejects.toBe(proxyDown);
    });
  });
});
