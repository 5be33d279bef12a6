import { setTimeout } from 'node:timers/promises';

/** Waits a number of milliseconds, or until the signal aborts. */
export type Wait = (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;

export interface DeliveryOptions {
  /** Maximum number of attempts; 5 by default, as in Hydra v1.11. Hydra v26 makes 3 attempts. */
  attempts?: number;
  /** Milliseconds to wait after the n-th failed attempt (from 1); 1 s, 2 s, 4 s … up to 30 s by default. */
  backoffMs?: number | ((attempt: number) => number);
  /** Waits between attempts; uses real timers by default. */
  wait?: Wait;
  /** OneID's clock, in milliseconds since 1970, for a `Retry-After` that is a date; `Date.now` by default. */
  now?: () => number;
  /** Milliseconds one attempt may take; 60,000 by default, as in Hydra v1.11. Hydra v26 allows 30,000. */
  timeoutMs?: number;
  /** Form parameters sent beside `logout_token`. */
  parameters?: Readonly<Record<string, string>>;
  /** Aborts the delivery. */
  signal?: AbortSignal;
}

/** One POST of the logout token. It has either `status` or `error`. */
export interface DeliveryAttempt {
  readonly status?: number;
  /** Code of the network error, for example `ECONNREFUSED`. */
  readonly error?: string;
  readonly body: string;
  /** Response headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Delivery {
  readonly delivered: boolean;
  readonly attempts: readonly DeliveryAttempt[];
}

/** Waits on a real timer that doesn't keep the process alive. */
export const waitForReal: Wait = (milliseconds, signal) =>
  setTimeout(milliseconds, undefined, { ref: false, ...(signal && { signal }) });

/**
 * Sends a logout token as Hydra does, in a form POST. The token is delivered when the client answers 200 or 204.
 * After a network error, 429, or 5xx except 501, the same token is sent again. `Retry-After` of a 429 or 503 replaces
 * the backoff. Redirects are not followed.
 *
 * Versions of Hydra differ in their patience. Each default is the most patient version's.
 *
 * @see {@link https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest Back-Channel Logout 1.0 §2.5}
 * @example
 * ```ts
 * const { delivered, attempts } = await deliver('http://127.0.0.1:3000/backchannel_logout', token, { attempts: 1 });
 * ```
 */
export async function deliver(uri: string, logoutToken: string, options: DeliveryOptions = {}): Promise<Delivery> {
  const { attempts: limit = 5, backoffMs = exponential, wait = waitForReal, now = Date.now, signal } = options;
  const attempts: DeliveryAttempt[] = [];
  for (;;) {
    const attempt = await post(uri, logoutToken, options);
    attempts.push(attempt);
    if (attempt.status === 200 || attempt.status === 204) return { delivered: true, attempts };
    if (!isRetried(attempt) || attempts.length >= limit) return { delivered: false, attempts };

    const backoff = typeof backoffMs === 'number' ? backoffMs : backoffMs(attempts.length);
    await wait(retryAfterMs(attempt, now) ?? backoff, signal).catch(unlessAborted(signal));
    if (signal?.aborted) return { delivered: false, attempts };
  }
}

async function post(uri: string, logoutToken: string, options: DeliveryOptions): Promise<DeliveryAttempt> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 60_000);
  try {
    const response = await fetch(uri, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: logoutToken, ...options.parameters }).toString(),
      redirect: 'manual',
      signal: options.signal ? AbortSignal.any([timeout, options.signal]) : timeout,
    });
    return {
      status: response.status,
      // Hydra decides by the status alone, so a body that never ends makes no difference
      body: await response.text().catch(() => ''),
      headers: Object.fromEntries(response.headers.entries()),
    };
  } catch (error) {
    return { error: codeOf(error), body: '', headers: {} };
  }
}

const isRetried = ({ status }: DeliveryAttempt): boolean =>
  status === undefined || status === 429 || (status >= 500 && status !== 501);

/**
 * Reads `Retry-After`, a number of seconds or a date.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 RFC 9110 §10.2.3}
 */
function retryAfterMs({ status, headers }: DeliveryAttempt, now: () => number): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined || (status !== 429 && status !== 503)) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = value.endsWith(' GMT') ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now());
}

const exponential = (attempt: number): number => Math.min(1000 * 2 ** (attempt - 1), 30_000);

const unlessAborted = (signal: AbortSignal | undefined) => (error: unknown) => {
  if (!signal?.aborted) throw error;
};

// `instanceof Error` does not work here: under jest, fetch's errors come from another realm.
function codeOf(error: unknown): string {
  const { name, code, cause } = error as { name?: string; code?: unknown; cause?: { code?: unknown } };
  const found = cause?.code ?? code;
  return typeof found === 'string' ? found : (name ?? 'Error');
}
