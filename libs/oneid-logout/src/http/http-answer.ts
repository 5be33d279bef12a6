import { type AbstractHttpAdapter } from '@nestjs/core';

/** An answer, complete: whatever the host has set up globally, this is what the client gets. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `Set-Cookie` values, beside those the host sets. */
  readonly cookies?: readonly string[];
  readonly body?: string;
  /** Headers of the host that must not go out with this answer. */
  readonly without?: readonly string[];
}

/** Writes an answer through the host's HTTP adapter, past its interceptors and serializers. Nothing of it is cached. */
export function sendAnswer(adapter: AbstractHttpAdapter, response: unknown, answer: HttpAnswer): void {
  for (const name of answer.without ?? []) removeHeader(response, name);
  for (const [name, value] of Object.entries({ 'Cache-Control': 'no-store', ...answer.headers })) {
    adapter.setHeader(response, name, value);
  }
  for (const cookie of answer.cookies ?? []) adapter.appendHeader(response, 'Set-Cookie', cookie);
  if (adapter.getType() === 'express') {
    // Express's send() would turn it into a 304 for `If-None-Match: *`
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

/** The adapters have no common way to take a header back; on Fastify a middleware may have put it on the raw response. */
function removeHeader(response: unknown, name: string): void {
  const holder = response as HeaderRemover & { readonly raw?: HeaderRemover };
  holder.removeHeader(name);
  holder.raw?.removeHeader(name);
}
