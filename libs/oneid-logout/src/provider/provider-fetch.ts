import { type Clock } from '../clock.js';

/** Limits of one answer from the provider: milliseconds, bytes. */
const TIMEOUT = 5_000;
const MAX_SIZE = 512 * 1024;

export type ProviderFetch = (url: string, init?: RequestInit) => Promise<Response>;

/**
 * `fetch` for requests to the provider. It follows no redirect, and reads the whole body before it returns. It throws
 * when the provider does not answer in time, redirects, or sends more than 512 KiB.
 *
 * @param timeoutMs for the whole answer
 */
export function providerFetch(clock: Clock, timeoutMs = TIMEOUT): ProviderFetch {
  return async (url, init = {}) => {
    const { pathname } = new URL(url);
    const overdue = new AbortController();
    const timer = clock.after(timeoutMs, () => {
      overdue.abort(new Error(`${pathname} did not answer within ${timeoutMs} ms`));
    });
    try {
      const response = await fetch(url, { ...init, redirect: 'manual', signal: overdue.signal });
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        throw new Error(`${pathname} answered with a redirect`);
      }
      const { status, headers } = response;
      const body = await readBody(response, pathname);
      return new Response(body.byteLength === 0 ? null : body, { status, headers });
    } finally {
      timer.cancel();
    }
  };
}

async function readBody(response: Response, pathname: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_SIZE) throw new Error(`${pathname} answered with more than ${MAX_SIZE} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
