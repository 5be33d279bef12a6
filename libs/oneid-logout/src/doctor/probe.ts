import { type Clock } from '../clock.js';
import { type Finding } from './check-result.js';

/** How much of a body the doctor reads, bytes: as much as the library reads from a provider. */
const MAX_SIZE = 512 * 1024;

/** A complete HTTP answer. The doctor follows no redirect, as OneID and the library don't. */
export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** This machine's clock before the request and after the answer's headers, milliseconds. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Sends a request. It never throws: an answer that does not come is a {@link Finding}. */
export type Probe = (url: string, init?: RequestInit) => Promise<Answer | Finding>;

/** @param timeoutMs how long one request may take, milliseconds */
export function httpProbe(clock: Clock, timeoutMs: number): Probe {
  return async (url, init = {}) => {
    const abort = new AbortController();
    const timer = clock.after(timeoutMs, () => abort.abort());
    try {
      const askedAt = clock.now();
      const response = await fetch(url, { ...init, redirect: 'manual', signal: abort.signal });
      const answeredAt = clock.now();
      const { status, headers } = response;
      return { url, status, headers, body: await readBody(response), askedAt, answeredAt };
    } catch (error) {
      if (abort.signal.aborted) return noAnswerInTime(url, timeoutMs);
      return noAnswer(url, error);
    } finally {
      timer.cancel();
    }
  };
}

export const isAnswer = (result: Answer | Finding): result is Answer => 'status' in result;

async function readBody({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.byteLength;
    // leaving the loop closes the connection
    if (size >= MAX_SIZE) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_SIZE).toString('utf8');
}

function noAnswerInTime(url: string, timeoutMs: number): Finding {
  return {
    found: `${url} did not answer within ${timeoutMs / 1000} s`,
    advice: 'Look whether a firewall drops the requests, or give a slow host more time with --timeout-seconds.',
  };
}

/** By the codes of Node's system errors and of OpenSSL's certificate checks. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/ENOTFOUND|EAI_AGAIN/, 'Check the host name for a typing error. Check that this machine can look it up in the DNS.'],
  [/ECONNREFUSED/, 'Start the server, or correct the port. Check which address the server listens on.'],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "Renew the certificate of this host. If it is new, set this machine's clock right.",
  ],
  [/ALTNAME/, 'Use the host name that the certificate has, or get a certificate for this one.'],
  [
    /SELF_SIGNED|UNABLE_TO|ISSUER_CERT/,
    'Have the server send its whole certificate chain. For a certificate authority of your own, set NODE_EXTRA_CA_CERTS ' +
      'for the app and for the doctor.',
  ],
  [/ERR_SSL|EPROTO|packet length/, 'Check the port, and whether the URL should begin with http or https.'],
];

/** What `fetch` throws: its cause says more, and has a list of errors if Node tried several addresses of the host. */
interface FetchError {
  readonly message?: string;
  readonly cause?: { readonly message?: string; readonly code?: string };
}

function noAnswer(url: string, error: unknown): Finding {
  const { message = '', cause = {} } = error as FetchError;
  const reason = [cause.message, cause.code, message].find((text) => text !== undefined && text !== '');
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(`${cause.code ?? ''} ${cause.message ?? ''}`)) ?? [];
  return {
    found: `${url} gave no answer: ${reason ?? 'the connection was closed'}`,
    advice: advice ?? 'Check that this machine reaches the host, and that no proxy or firewall closes the connection.',
  };
}
