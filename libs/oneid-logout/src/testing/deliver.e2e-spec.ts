import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DeliveryOptions, waitForReal, withoutWaiting } from './deliver.js';
import { type HydraVersion } from './hydra-version.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

// A second provider plays the relying party: its troubles are the relying party's answers.
describe('deliver', () => {
  let oneId: OneIdTestProvider;
  let rp: OneIdTestProvider;
  const waits: number[] = [];
  const now = Date.UTC(2030, 0, 1, 12);
  const path = '/backchannel_logout';
  const versions: HydraVersion[] = ['1.11', '2'];
  beforeAll(async () => {
    const wait = (milliseconds: number) => Promise.resolve(waits.push(milliseconds));
    const signingKey = await suiteKey();
    [oneId, rp] = await Promise.all([
      OneIdTestProvider.start({ signingKey, wait, now: () => now }),
      OneIdTestProvider.start({ signingKey }),
    ]);
  });
  afterEach(() => {
    waits.length = 0;
    rp.clearRequests();
    rp.heal();
  });
  afterAll(() => Promise.all([oneId.close(), rp.close()]));

  const deliver = (options?: DeliveryOptions) => oneId.deliver(rp.url(path), 'header.payload.signature', options);

  it('posts the token as a form', async () => {
    rp.fail(path, { status: 200 });
    await deliver({ parameters: { unknown: 'x' } });

    expect(rp.requests).toHaveLength(1);
    expect(rp.requests[0]).toMatchObject({
      method: 'POST',
      path,
      form: { logout_token: 'header.payload.signature', unknown: 'x' },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  });

  it.each<[HydraVersion, number, boolean]>([
    ['1.11', 200, true],
    ['2', 200, true],
    ['1.11', 204, false],
    ['2', 204, true],
  ])('Hydra v%s: %d is a delivery: %s', async (hydra, status, expected) => {
    rp.fail(path, { status, body: '', headers: { 'Cache-Control': 'no-store' } });
    const { delivered, attempts } = await deliver({ hydra });

    expect(delivered).toBe(expected);
    expect(attempts).toEqual([
      { status, body: '', headers: expect.objectContaining({ 'cache-control': 'no-store' }) as object },
    ]);
  });

  it.each([201, 302, 304, 400, 401, 404, 501])('reports a failure for %d, and does not try again', async (status) => {
    rp.fail(path, { status });
    const { delivered, attempts } = await deliver();

    expect([delivered, attempts.map((attempt) => attempt.status), waits]).toEqual([false, [status], []]);
  });

  it.each([429, 500, 502, 503, 504])('tries %d again, with the identical token', async (status) => {
    rp.fail(path, { status, times: 2 }, { status: 200 });
    const { delivered, attempts } = await deliver();

    expect([delivered, attempts.map((attempt) => attempt.status)]).toEqual([true, [status, status, 200]]);
    expect(new Set(rp.requests.map(({ body }) => body))).toEqual(new Set(['logout_token=header.payload.signature']));
  });

  it('tries again after a network error', async () => {
    rp.fail(path, { reset: true, times: 1 }, { status: 200 });
    const { delivered, attempts } = await deliver();

    expect(delivered).toBe(true);
    expect(attempts[0]).toEqual({
      error: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/) as unknown,
      body: '',
      headers: {},
    });
  });

  it.each<[HydraVersion, number, number]>([
    ['1.11', 5, 60_000],
    ['2', 3, 30_000],
  ])(
    'Hydra v%s makes %d attempts of %d ms at a relying party that never answers',
    async (hydra, limit, milliseconds) => {
      rp.fail(path, { hang: true });
      const deadlines: number[] = [];
      const deadline = (length: number) => {
        deadlines.push(length);
        return AbortSignal.abort();
      };
      const { delivered, attempts } = await deliver({ hydra, deadline });

      expect(delivered).toBe(false);
      expect(attempts).toEqual(Array(limit).fill({ error: 'TimeoutError', body: '', headers: {} }));
      expect(deadlines).toEqual(Array(limit).fill(milliseconds));
    },
  );

  it('gives up on a relying party that does not answer in time, by a real timer', async () => {
    rp.fail(path, { hang: true });
    const { delivered, attempts } = await deliver({ attempts: 1, deadline: () => AbortSignal.timeout(20) });

    expect([delivered, attempts]).toEqual([false, [{ error: 'TimeoutError', body: '', headers: {} }]]);
  });

  it('has delivered on a 200 with a body that never ends', async () => {
    rp.fail(path, { status: 200, hang: 'body' });
    const { delivered, attempts } = await deliver({ deadline: () => AbortSignal.timeout(500) });

    expect([delivered, attempts]).toMatchObject([true, [{ status: 200, body: '' }]]);
  });

  it.each<[HydraVersion, number[]]>([
    ['1.11', [1000, 2000, 4000, 8000]],
    ['2', [1000, 2000]],
  ])('Hydra v%s tries again after %j ms, then gives up', async (hydra, expected) => {
    rp.fail(path, { status: 500 });
    const { delivered, attempts } = await deliver({ hydra });

    expect([delivered, attempts.length, waits]).toEqual([false, expected.length + 1, expected]);
    expect(rp.count(path)).toBe(expected.length + 1);
  });

  it('makes fewer attempts on request, and never more than Hydra', async () => {
    rp.fail(path, { status: 500 });
    const counts = [(await deliver({ attempts: 1 })).attempts.length, (await deliver({ attempts: 9 })).attempts.length];

    expect(counts).toEqual([1, 3]);
  });

  it('waits in real time by default, and not at all on request', async () => {
    rp.fail(path, { status: 503, headers: { 'Retry-After': '3600' } });
    const { attempts } = await deliver({ wait: withoutWaiting });
    const closing = new AbortController();
    const ended = waitForReal(2 ** 40, closing.signal).catch(() => 'aborted');
    closing.abort();

    expect([attempts.length, await ended]).toEqual([3, 'aborted']);
  });

  it.each<[HydraVersion, number, number[]]>([
    ['1.11', 5, [5000, 5000, 5000, 5000]],
    ['2', 5, [5000, 5000]],
    ['1.11', 45, [45_000, 45_000, 45_000, 45_000]],
    ['2', 86_400, [86_400_000, 86_400_000]],
  ])('Hydra v%s waits as Retry-After: %d says, without an upper limit', async (hydra, seconds, expected) => {
    rp.fail(path, { status: 503, headers: { 'Retry-After': String(seconds) } });
    const { delivered } = await deliver({ hydra });

    expect([delivered, waits]).toEqual([false, expected]);
  });

  it('honours Retry-After of a 429 or 503, and of no other', async () => {
    const headers = { 'Retry-After': '9' };
    rp.fail(path, { status: 503, headers, times: 1 }, { status: 429, headers, times: 1 }, { status: 500, headers });
    await deliver({ hydra: '1.11' });

    expect(waits).toEqual([9000, 9000, 4000, 8000]);
  });

  it.each<[string, number, number]>([
    ['Tue, 01 Jan 2030 12:00:45 GMT', 1000, 45_000],
    ['Tue, 01 Jan 2030 11:59:00 GMT', 1000, 0],
    ['0', 0, 0],
    ['-5', 1000, 1000],
    ['soon', 1000, 1000],
    ['1.5', 1000, 1000],
  ])('waits as Retry-After says: %s is %d ms for Hydra v1.11 and %d ms for v2', async (value, first, second) => {
    rp.fail(path, { status: 503, headers: { 'Retry-After': value }, times: 1 }, { status: 200, times: 1 });
    await deliver({ hydra: '1.11' });
    rp.fail(path, { status: 503, headers: { 'Retry-After': value }, times: 1 }, { status: 200, times: 1 });
    await deliver({ hydra: '2' });

    expect(waits).toEqual([first, second]);
  });

  describe('redirects', () => {
    const target = '/elsewhere';
    const received = () =>
      rp.requests.map(({ method, path: at, body, headers }) => [method, at, body, headers['content-type']]);
    const form = ['logout_token=header.payload.signature', 'application/x-www-form-urlencoded'];

    it.each(versions.flatMap((hydra) => [301, 302, 303].map((status): [HydraVersion, number] => [hydra, status])))(
      'Hydra v%s follows a %d as GET without the token, and a 200 there is a delivery',
      async (hydra, status) => {
        rp.fail(path, { status, redirectTo: '/elsewhere?a=1' });
        rp.fail(target, { status: 200, body: 'sign in' });
        const { delivered, attempts } = await deliver({ hydra });

        expect([delivered, attempts]).toMatchObject([true, [{ status: 200, body: 'sign in' }]]);
        expect(received()).toEqual([
          ['POST', path, ...form],
          ['GET', target, '', undefined],
        ]);
        expect(rp.requests[1]?.query).toEqual({ a: '1' });
      },
    );

    it.each([307, 308])('Hydra v2 posts the token again after a %d, and v1.11 has failed', async (status) => {
      rp.fail(path, { status, redirectTo: target });
      rp.fail(target, { status: 200 });
      expect(await deliver({ hydra: '1.11' })).toMatchObject({ delivered: false, attempts: [{ status }] });
      expect(await deliver({ hydra: '2' })).toMatchObject({ delivered: true, attempts: [{ status: 200 }] });

      expect(received()).toEqual([
        ['POST', path, ...form],
        ['POST', path, ...form],
        ['POST', target, ...form],
      ]);
    });

    it('stay a GET after a GET', async () => {
      rp.fail(path, { status: 302, redirectTo: '/middle' });
      rp.fail('/middle', { status: 307, redirectTo: target });
      rp.fail(target, { status: 200 });
      await deliver();

      expect(rp.requests.map(({ method, body }) => method + body)).toEqual([`POST${form[0]}`, 'GET', 'GET']);
    });

    it('lead to a further attempt at the first address when the last answer is a 503', async () => {
      rp.fail(path, { status: 302, redirectTo: target });
      rp.fail(target, { status: 503, times: 1 }, { status: 200 });
      const { delivered, attempts } = await deliver();

      expect([delivered, attempts.map(({ status }) => status)]).toEqual([true, [503, 200]]);
      expect([rp.count(path), rp.count(target)]).toEqual([2, 2]);
    });

    it('end the delivery after the tenth', async () => {
      rp.fail(path, { status: 302, redirectTo: path });
      const { delivered, attempts } = await deliver();

      expect([delivered, attempts]).toEqual([false, [{ error: 'too many redirects', body: '', headers: {} }]]);
      expect(rp.count(path)).toBe(11);
    });
  });

  it('stops when the provider stops', async () => {
    const closing = await OneIdTestProvider.start();
    rp.fail(path, { status: 503, headers: { 'Retry-After': '3600' } });
    const wait = (_: number, signal?: AbortSignal) => {
      queueMicrotask(() => void closing.close());
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    };

    const { delivered, attempts } = await closing.deliver(rp.url(path), 'token', { wait });

    expect([delivered, attempts.length]).toEqual([false, 1]);
  });
});
