import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { endpointPaths } from './endpoint-paths.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

describe('fail and heal', () => {
  let oneId: OneIdTestProvider;
  const waits: number[] = [];
  const get = (path: string = endpointPaths.jwks, init?: RequestInit) =>
    fetch(oneId.url(path), { redirect: 'manual', ...init });
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      wait: (milliseconds) => Promise.resolve(waits.push(milliseconds)),
    });
  });
  afterEach(() => oneId.heal());
  afterAll(() => oneId.close());

  /** OneID answers another request while this request is still open. */
  async function expectPending(work: Promise<unknown>): Promise<void> {
    const ended = jest.fn();
    work.then(ended, ended);
    await get(endpointPaths.discovery);
    expect(ended).not.toHaveBeenCalled();
  }

  it('answers a status, headers and a raw body', async () => {
    oneId.fail(endpointPaths.jwks, { status: 418, headers: { 'X-Tea': 'pot' }, body: '{"keys":' });
    const response = await get();

    expect([response.status, response.headers.get('x-tea'), await response.text()]).toEqual([418, 'pot', '{"keys":']);
  });

  it('answers 200 when only a body is given, and 500 when nothing is given', async () => {
    oneId.fail(endpointPaths.jwks, { body: '{}', times: 1 }, {});

    expect([(await get()).status, (await get()).status]).toEqual([200, 500]);
  });

  it('applies to the given number of requests, one trouble after the other', async () => {
    oneId.fail(endpointPaths.jwks, { status: 500, times: 2 }, { status: 503, times: 1 });
    const statuses = [await get(), await get(), await get(), await get()].map(({ status }) => status);

    expect(statuses).toEqual([500, 500, 503, 200]);
  });

  it('applies to one endpoint, or to all, until heal()', async () => {
    oneId.fail(endpointPaths.jwks, { status: 503 });
    expect([(await get()).status, (await get(endpointPaths.discovery)).status]).toEqual([503, 200]);
    oneId.heal(endpointPaths.jwks);
    oneId.fail('*', { status: 502 });
    expect([(await get()).status, (await get(endpointPaths.discovery)).status]).toEqual([502, 502]);
    oneId.heal();
    expect([(await get()).status, (await get(endpointPaths.discovery)).status]).toEqual([200, 200]);
  });

  it('redirects', async () => {
    oneId.fail(endpointPaths.jwks, { redirectTo: 'http://evil.test/' });
    const response = await get();

    expect([response.status, response.headers.get('location')]).toEqual([302, 'http://evil.test/']);
  });

  it('delays the normal answer, or the given one', async () => {
    oneId.fail(endpointPaths.jwks, { delayMs: 5000, times: 1 }, { delayMs: 6000, status: 503 });

    expect([(await get()).status, (await get()).status, waits]).toEqual([200, 503, [5000, 6000]]);
  });

  it('cuts the connection', async () => {
    oneId.fail(endpointPaths.jwks, { reset: true });

    await expect(get()).rejects.toThrow('fetch failed');
  });

  it('never answers', async () => {
    oneId.fail(endpointPaths.jwks, { hang: true });

    const controller = new AbortController();
    const answer = get(endpointPaths.jwks, { signal: controller.signal });
    await expectPending(answer);
    controller.abort();

    await expect(answer).rejects.toThrow('aborted');
  });

  it('never ends the body', async () => {
    oneId.fail(endpointPaths.jwks, { hang: 'body', body: '{"keys":[' });
    const controller = new AbortController();
    const response = await get(endpointPaths.jwks, { signal: controller.signal });
    expect(response.status).toBe(200);
    const body = response.text();
    await expectPending(body);
    controller.abort();

    await expect(body).rejects.toThrow('aborted');
  });

  it('sends a huge body without announcing its length', async () => {
    oneId.fail(endpointPaths.jwks, { bodyBytes: 5_000_001 });
    const response = await get();

    expect([response.status, response.headers.get('content-length')]).toEqual([200, null]);
    expect((await response.arrayBuffer()).byteLength).toBe(5_000_001);
  });

  it('still records the request', async () => {
    oneId.clearRequests();
    oneId.fail(endpointPaths.jwks, { status: 503 });
    await get();

    expect(oneId.count(endpointPaths.jwks)).toBe(1);
  });
});
