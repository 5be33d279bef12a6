/** Limits of one answer from the provider: milliseconds, bytes. */
const TIMEOUT = 5_000;
const MAX_SIZE = 512 * 1024;

export type ProviderFetch = (url: string, init?: RequestInit) => Promise<Response>;

/**
 * `fetch` for requests to the provider. It follows no redirect, and reads the whole body before it returns.
 *
 * @param timeout for the whole answer, milliseconds; five seconds by default
 * @throws when the provider does not answer in time, redirects, or sends more than 512 KiB
 */
export async function providerFetch(url: string, init: RequestInit = {}, timeout = TIMEOUT): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeout) });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new Error(`${new URL(url).pathname} answered with a redirect`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_SIZE) throw new Error(`${new URL(url).pathname} answered with more than ${MAX_SIZE} bytes`);
    chunks.push(chunk);
  }
  const { status, headers } = response;
  return new Response(size === 0 ? null : Buffer.concat(chunks), { status, headers });
}
