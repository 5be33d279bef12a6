import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { type EndpointPath } from './endpoint-paths.js';

/** A request that reached the provider. */
export interface ReceivedRequest {
  /** In upper case. */
  readonly method: string;
  /** Relative to the issuer, without query; begins with `/..` when it is not under the issuer's path. */
  readonly path: EndpointPath;
  /** Query parameters. A repeated parameter has its first value, as in Hydra. */
  readonly query: Readonly<Record<string, string>>;
  /** Parameters of a urlencoded body; empty for another body. A repeated parameter has its first value. */
  readonly form: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The whole body as text. */
  readonly body: string;
  /** When it arrived, on the provider's clock, in milliseconds since 1970. */
  readonly at: number;
}

/** Reads a request to its end; `basePath` is the issuer's path without a trailing slash. */
export async function receive(message: IncomingMessage, basePath: string, at: number): Promise<ReceivedRequest> {
  const url = new URL(message.url ?? '/', 'http://127.0.0.1');
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const isForm = message.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  return {
    method: message.method ?? 'GET',
    path: url.pathname.startsWith(`${basePath}/`) ? url.pathname.slice(basePath.length) : `/..${url.pathname}`,
    query: firstOfEach(url.searchParams),
    form: isForm ? firstOfEach(new URLSearchParams(body)) : {},
    headers: message.headers,
    body,
    at,
  };
}

/** Parameters of query and body together. The body's value wins, as in Go's `ParseForm`. */
export const parametersOf = ({ query, form }: ReceivedRequest): Readonly<Record<string, string>> => ({
  ...query,
  ...form,
});

function firstOfEach(parameters: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...parameters].reverse());
}
