import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { OneIdTestProvider } from '../testing/index.js';
import { providerFetch } from './provider-fetch.js';

describe('providerFetch', () => {
  let oneId: OneIdTestProvider;
  const path = '/somewhere';
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start();
  });
  afterEach(() => {
    oneId.heal();
    oneId.clearRequests();
  });
  afterAll(() => oneId.close());

  it('gives status, headers and body, whatever the status', async () => {
    oneId.fail(path, { status: 418, body: 'tea', headers: { 'X-Tea': 'pot' } });
    const response = await providerFetch(oneId.url(path), { method: 'POST', body: 'a=1' });

    expect([response.status, response.headers.get('x-tea'), await response.text()]).toEqual([418, 'pot', 'tea']);
    expect(oneId.requests[0]).toMatchObject({ method: 'POST', body: 'a=1' });
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %d', async (status) => {
    oneId.fail(path, { status, redirectTo: oneId.url('/elsewhere') });

    await expect(providerFetch(oneId.url(path))).rejects.toThrow('/somewhere answered with a redirect');
    expect(oneId.requests).toHaveLength(1);
  });

  it('takes 512 KiB and no more, compressed or not', async () => {
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

    expect((await (await providerFetch(oneId.url(path))).text()).length).toBe(512 * 1024);
    await expect(providerFetch(oneId.url(path))).rejects.toThrow(tooMuch);
    await expect(providerFetch(oneId.url(path))).rejects.toThrow(tooMuch);
  });

  it.each([true, 'body'] as const)('waits no longer than it may (hang: %s)', async (hang) => {
    oneId.fail(path, { hang });

    await expect(providerFetch(oneId.url(path), {}, 30)).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
