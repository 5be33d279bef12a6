import { type AbstractHttpAdapter } from '@nestjs/core';

/** A complete HTTP answer. The host's global interceptors and serializers do not change its status or body. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `Set-Cookie` values. Cookies that the host sets stay in the answer too. */
  readonly cookies?: readonly string[];
  readonly body?: string;
  /** Names of headers that the host may have set and that this answer must not have. */
  readonly without?: readonly string[];
}

/**
 * Sends an answer through the host's HTTP adapter, so that the host's interceptors and serializers can't change it.
 * Forbids caching (`no-store`), unless the answer has a `Cache-Control` header itself.
 */
export function sendAnswer(adapter: AbstractHttpAdapter, response: unknown, answer: HttpAnswer): void {
  for (const name of answer.without ?? []) removeHeader(response, name);
  for (const [name, value] of Object.entries({ 'Cache-Control': 'no-store', ...answer.headers })) {
    adapter.setHeader(response, name, value);
  }
  for (const cookie of answer.cookies ?? []) adapter.appendHeader(response, 'Set-Cookie', cookie);
  if (adapter.getType() === 'express') {
    // Express's send() would answer 304 to a request with `If-None-Match: *`
    adapter.status(response, answer.status);
    adapter.end(response, answer.body ?? '');
  } else {
    adapter.reply(response, answer.body ?? '', answer.status);
  }
}

export function jsonAnswer(status: number, body: object, headers: Record<string, string> = {}): HttpAnswer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

interface HeaderRemover {
  removeHeader(name: string): void;
}

/** Nest's adapters have no method for this. On Fastify, a middleware may have set the header on the raw response. */
function removeHeader(response: unknown, name: string): void {
  const holder = response as HeaderRemover & { readonly raw?: HeaderRemover };
  holder.removeHeader(name);
  holder.raw?.removeHeader(name);
}
