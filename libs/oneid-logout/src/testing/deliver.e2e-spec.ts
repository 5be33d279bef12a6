import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type DeliveryOptions } from './deliver.js';
import { OneIdTestProvider } from './oneid-test-provider.js';

// A second provider plays the relying party: its troubles are the relying party's answers.
describe('deliver', () => {
  let oneId: OneIdTestProvider;
  let rp: OneIdTestProvider;
  const waits: number[] = [];
  const now = Date.UTC(2030, 0, 1, 12);
  const path = '/backchannel_logout';
  beforeAll(async () => {
    const wait = (milliseconds: number) => Promise.resolve(waits.push(milliseconds));
    [oneId, rp] = await Promise.all([OneIdTestProvider.start({ wait, now: () => now }), OneIdTestProvider.start()]);
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

  it.each([200, 204])('reports a delivery for %d', async (status) => {
    rp.fail(path, { status, body: '', headers: { 'Cache-Control': 'no-store' } });
    const { delivered, attempts } = await deliver();

    expect(delivered).toBe(true);
    expect(attempts).toEqual([
      { status, body: '', headers: expect.objectContaining({ 'cache-control': 'no-store' }) as object },
    ]);
  });

  it.each([201, 302, 400, 401, 404, 501])('reports a failure for %d, and does not try again', async (status) => {
    rp.fail(path, { status, headers: { Location: rp.issuer } });
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

  it('gives up on a relying party that does not answer in time', async () => {
    rp.fail(path, { hang: true });
    const { delivered, attempts } = await deliver({ attempts: 1, timeoutMs: 20 });

    expect([delivered, attempts]).toEqual([false, [{ error: 'TimeoutError', body: '', headers: {} }]]);
  });

  it('allows an attempt 60 s', async () => {
    const timeout = jest.spyOn(AbortSignal, 'timeout');
    rp.fail(path, { status: 200 });
    await deliver();

    expect(timeout.mock.calls).toEqual([[60_000]]);
    timeout.mockRestore();
  });

  it('has delivered on a 200 with a body that never ends', async () => {
    rp.fail(path, { status: 200, hang: 'body' });
    const { delivered, attempts } = await deliver({ timeoutMs: 500 });

    expect([delivered, attempts]).toMatchObject([true, [{ status: 200, body: '' }]]);
  });

  it('tries five times, waiting twice as long each time', async () => {
    rp.fail(path, { status: 500 });
    const { delivered, attempts } = await deliver();

    expect([delivered, attempts.length, waits]).toEqual([false, 5, [1000, 2000, 4000, 8000]]);
  });

  it('waits at most 30 s, or as long as the caller says', async () => {
    rp.fail(path, { status: 500 });
    await deliver({ attempts: 8 });
    await deliver({ attempts: 3, backoffMs: 7 });
    await deliver({ attempts: 3, backoffMs: (attempt) => attempt * 10 });

    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 7, 7, 10, 20]);
  });

  it('honours Retry-After of a 429 or 503, and of no other', async () => {
    const headers = { 'Retry-After': '9' };
    rp.fail(path, { status: 503, headers, times: 1 }, { status: 429, headers, times: 1 }, { status: 500, headers });
    await deliver({ attempts: 4, backoffMs: 1 });

    expect(waits).toEqual([9000, 9000, 1]);
  });

  it.each([
    ['Tue, 01 Jan 2030 12:00:45 GMT', 45_000],
    ['Tue, 01 Jan 2030 11:59:00 GMT', 0],
    ['0', 0],
    ['-5', 1],
    ['soon', 1],
    ['1.5', 1],
  ])('waits as Retry-After says, in seconds or by a date: %s', async (value, milliseconds) => {
    rp.fail(path, { status: 503, headers: { 'Retry-After': value }, times: 1 }, { status: 200 });
    await deliver({ backoffMs: 1 });

    expect(waits).toEqual([milliseconds]);
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
