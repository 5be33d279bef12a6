import { setTimeout } from 'node:timers/promises';
import { defaultHydra, type HydraVersion } from './hydra-version.js';

/** Waits a number of milliseconds, or until the signal aborts. */
export type Wait = (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;

/** Makes a signal that aborts after a number of milliseconds. */
export type Deadline = (milliseconds: number) => AbortSignal;

/** How a logout token is delivered, for {@link deliver}. */
export interface DeliveryOptions {
  /** The version of Hydra that delivers; `2` by default. */
  hydra?: HydraVersion;
  /** Maximum number of attempts. By default, and at most, as many as Hydra makes. */
  attempts?: number;
  /** Waits between attempts; uses real timers by default. {@link withoutWaiting} keeps a test or a demo fast. */
  wait?: Wait;
  /** Ends an attempt that takes as long as Hydra allows, 30 or 60 s; uses real timers by default. */
  deadline?: Deadline;
  /** OneID's clock, in milliseconds since 1970, for a `Retry-After` that is a date; `Date.now` by default. */
  now?: () => number;
  /** Form parameters sent beside `logout_token`. */
  parameters?: Readonly<Record<string, string>>;
  /** Aborts the delivery. */
  signal?: AbortSignal;
}

/** One attempt to deliver the logout token, redirects included. It has either `status` or `error`. */
export interface DeliveryAttempt {
  /** Status of the last answer, after redirects. */
  readonly status?: number;
  /** Code of the network error, for example `ECONNREFUSED`; `TimeoutError` when the attempt took too long. */
  readonly error?: string;
  /** Body of the last answer; empty after a network error. */
  readonly body: string;
  /** Headers of the last answer, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The delivery of a logout token. */
export interface Delivery {
  /** Has the app answered with a status that Hydra takes for success? */
  readonly delivered: boolean;
  /** The first attempt first. */
  readonly attempts: readonly DeliveryAttempt[];
}

/** The longest time that a timer of Node can wait: milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** Waits on a real timer that doesn't keep the process alive. */
export const waitForReal: Wait = (milliseconds, signal) =>
  setTimeout(Math.min(milliseconds, longestTimer), undefined, { ref: false, ...(signal && { signal }) });

/**
 * Waits no time, to keep a test or a demo fast. Hydra itself waits a second or more before each further attempt.
 *
 * @example
 * ```ts
 * import { OneIdTestProvider, withoutWaiting } from 'nestjs-oneid-logout/testing';
 *
 * export const startOneId = () => OneIdTestProvider.start({ clients: [{ clientId: 'my-app' }], wait: withoutWaiting });
 * ```
 */
export const withoutWaiting: Wait = () => Promise.resolve();

/** How a version of Hydra delivers a logout token. */
interface Manners {
  /** Milliseconds to wait after the first, second … failed attempt. */
  readonly waitsMs: readonly number[];
  /** Milliseconds that one attempt may take. */
  readonly deadlineMs: number;
  /** The statuses that count as delivered. */
  readonly delivered: readonly number[];
  /** Whether `Retry-After` may be a date. */
  readonly readsDates: boolean;
  /** Whether it posts the token again after a 307 or 308. Otherwise these statuses are the answer. */
  readonly postsAgain: boolean;
}

/** Measured on v1.11.10 and v26.2.0. How v1.11 takes a 204 or a 308 is inferred from its source. */
const manners: Readonly<Record<HydraVersion, Manners>> = {
  '1.11': {
    waitsMs: [1000, 2000, 4000, 8000],
    deadlineMs: 60_000,
    delivered: [200],
    readsDates: false,
    postsAgain: false,
  },
  '2': {
    waitsMs: [1000, 2000],
    deadlineMs: 30_000,
    delivered: [200, 204],
    readsDates: true,
    postsAgain: true,
  },
};

/** Number of redirects that Hydra follows in one attempt. One more ends the delivery. */
const mostRedirects = 10;

const tooManyRedirects = 'too many redirects';

/**
 * Sends a logout token as Hydra does, in a form POST.
 *
 * | | `hydra: '1.11'` | `hydra: '2'` |
 * |---|---|---|
 * | attempts, seconds after the first | 0, 1, 3, 7, 15 | 0, 1, 3 |
 * | longest time of an attempt | 60 s | 30 s |
 * | delivered | 200 | 200, 204 |
 * | 307, 308 | not delivered | posted again |
 * | 301, 302, 303 | GET without the token | GET without the token |
 *
 * After a network error, 429, or 5xx except 501, the same token is sent again. `Retry-After` of a 429 or 503 replaces
 * the wait and has no upper limit: in seconds, and with `hydra: '2'` also as a date.
 *
 * @param uri the client's `backchannel_logout_uri`
 * @returns every attempt with its answer; a failed delivery does not throw
 * @see {@link https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest Back-Channel Logout 1.0 §2.5}
 * @example
 * ```ts
 * import { deliver } from 'nestjs-oneid-logout/testing';
 *
 * // the status of the app's first answer
 * export async function statusOf(app: string, logoutToken: string): Promise<number | undefined> {
 *   const { attempts } = await deliver(`${app}/backchannel_logout`, logoutToken, { attempts: 1 });
 *   return attempts[0]?.status;
 * }
 * ```
 */
export async function deliver(uri: string, logoutToken: string, options: DeliveryOptions = {}): Promise<Delivery> {
  const { hydra = defaultHydra, attempts: limit = Infinity, wait = waitForReal, now = Date.now, signal } = options;
  const { waitsMs, delivered, readsDates } = manners[hydra];
  const attempts: DeliveryAttempt[] = [];
  for (;;) {
    const attempt = await attemptOnce(uri, logoutToken, manners[hydra], options);
    attempts.push(attempt);
    if (attempt.status !== undefined && delivered.includes(attempt.status)) return { delivered: true, attempts };
    const backoff = waitsMs[attempts.length - 1];
    if (!isRetried(attempt) || backoff === undefined || attempts.length >= limit) return { delivered: false, attempts };

    await wait(retryAfterMs(attempt, readsDates, now) ?? backoff, signal).catch(unlessAborted(signal));
    if (signal?.aborted) return { delivered: false, attempts };
  }
}

async function attemptOnce(
  uri: string,
  logoutToken: string,
  { deadlineMs, postsAgain }: Manners,
  { parameters, signal, deadline = (milliseconds) => AbortSignal.timeout(milliseconds) }: DeliveryOptions,
): Promise<DeliveryAttempt> {
  const overdue = deadline(deadlineMs);
  const post = {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ logout_token: logoutToken, ...parameters }).toString(),
  };
  try {
    const response = await follow(uri, post, postsAgain, signal ? AbortSignal.any([overdue, signal]) : overdue);
    if (response === undefined) return { error: tooManyRedirects, body: '', headers: {} };
    return {
      status: response.status,
      // Hydra decides by the status alone, so a body that never ends makes no difference
      body: await response.text().catch(() => ''),
      headers: Object.fromEntries(response.headers.entries()),
    };
  } catch (error) {
    return { error: overdue.aborted ? 'TimeoutError' : codeOf(error), body: '', headers: {} };
  }
}

/** Sends the POST and follows redirects as Go's HTTP client does; undefined after too many. */
async function follow(
  uri: string,
  post: RequestInit,
  postsAgain: boolean,
  signal: AbortSignal,
): Promise<Response | undefined> {
  let [url, request] = [uri, post];
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    const response = await fetch(url, { ...request, redirect: 'manual', signal });
    const location = response.headers.get('location');
    const repeats = response.status === 307 || response.status === 308;
    if (!location || !(repeats ? postsAgain : [301, 302, 303].includes(response.status))) return response;
    await response.body?.cancel();
    url = new URL(location, url).href;
    if (!repeats) request = { method: 'GET' };
  }
  return undefined;
}

const isRetried = ({ status, error }: DeliveryAttempt): boolean =>
  status === undefined ? error !== tooManyRedirects : status === 429 || (status >= 500 && status !== 501);

/**
 * Reads `Retry-After`, a number of seconds or a date.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 RFC 9110 §10.2.3}
 */
function retryAfterMs(
  { status, headers }: DeliveryAttempt,
  readsDates: boolean,
  now: () => number,
): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined || (status !== 429 && status !== 503)) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = readsDates && value.endsWith(' GMT') ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now());
}

const unlessAborted = (signal: AbortSignal | undefined) => (error: unknown) => {
  if (!signal?.aborted) throw error;
};

// `instanceof Error` does not work here: under jest, fetch's errors come from another realm.
function codeOf(error: unknown): string {
  const { name, code, cause } = error as { name?: string; code?: unknown; cause?: { code?: unknown } };
  const found = cause?.code ?? code;
  return typeof found === 'string' ? found : (name ?? 'Error');
}
