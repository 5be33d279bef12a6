import { type Readable } from 'node:stream';
import { type Clock } from '../clock.js';
import { ProviderMisconfiguredError } from '../oneid-logout.errors.js';
import { shown } from './token-claims.js';

/** Limits of one answer from the provider: milliseconds, bytes. */
const TIMEOUT = 5_000;
const MAX_SIZE = 512 * 1024;

/** Statuses of a redirect that lasts (RFC 9110 §15.4). */
const MOVED = new Set([301, 308]);

/** Statuses that say: the URL leads to nothing. */
export const NOT_THERE: ReadonlySet<number> = new Set([404, 410]);

/** The app has closed while a request was under way: its answer is no longer of use. */
export class RequestAbandoned extends Error {}

/**
 * Sends a request, like the global `fetch`.
 *
 * @category Set-up
 */
export type ProviderFetch = (url: string, init?: RequestInit) => Promise<Response>;

/** The global `fetch` at the time of the request: a test or a tracer may have replaced it. */
const globalFetch: ProviderFetch = (url, init) => fetch(url, init);

/**
 * `fetch` for requests to the provider. It follows no redirect, and reads the whole body before it returns. It throws
 * when the provider does not answer in time, redirects, or sends more than 512 KiB.
 *
 * @param send sends the request; it need not obey the limits
 * @param closing aborts, with a {@link RequestAbandoned}, when the app has closed
 * @throws {ProviderMisconfiguredError} the provider says that the URL has changed for good
 */
export function providerFetch(clock: Clock, send: ProviderFetch = globalFetch, closing?: AbortSignal): ProviderFetch {
  return async (url, init = {}) => {
    closing?.throwIfAborted();
    const { pathname } = new URL(url);
    const abort = new AbortController();
    const abandon = () => {
      abort.abort(closing?.reason);
    };
    closing?.addEventListener('abort', abandon);
    const overdue = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener('abort', () => {
        reject(abort.signal.reason as Error);
      });
    });
    const timer = clock.after(TIMEOUT, () => {
      abort.abort(new Error(`${pathname} did not answer within ${TIMEOUT} ms`));
    });
    const answer = request(url, { ...init, redirect: 'manual', signal: abort.signal }, send);
    // a fetch of the app may ignore the signal
    return Promise.race([answer, overdue]).finally(() => {
      timer.cancel();
      closing?.removeEventListener('abort', abandon);
    });
  };
}

async function request(url: string, init: RequestInit, send: ProviderFetch): Promise<Response> {
  const { pathname } = new URL(url);
  const response = await send(url, init);
  const { status, headers } = response;
  const redirects = status >= 300 && status < 400;
  if (redirects || response.redirected) {
    await discard(response.body);
    const fault = `${pathname} answered with a redirect`;
    if (!MOVED.has(status)) throw new Error(fault);
    throw new ProviderMisconfiguredError(
      "The provider's URL has changed",
      `${fault}: ${url} has moved to ${shown(headers.get('location') ?? undefined)}. Put the new URL into the options`,
    );
  }
  const body = await readBody(response, pathname);
  return new Response(body.byteLength === 0 ? null : body, { status, headers });
}

/** Frees the connection. A fetch of the app may have another body: node-fetch gives one of Node's own streams. */
async function discard(
  body: Partial<Pick<ReadableStream, 'cancel'> & Pick<Readable, 'destroy'>> | null,
): Promise<void> {
  await body?.cancel?.();
  body?.destroy?.();
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
