import { STATUS_CODES, type ServerResponse } from 'node:http';

/** An endpoint's answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers).end(body);
}

export const json = (value: unknown, status = 200, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

export const redirect = (location: string): Answer => ({ status: 302, headers: { Location: location }, body: '' });

export const page = (html: string, status = 200): Answer => ({
  status,
  headers: { 'Content-Type': 'text/html; charset=utf-8' },
  body: html,
});

export const plain = (status: number): Answer => ({
  status,
  headers: { 'Content-Type': 'text/plain' },
  body: STATUS_CODES[status] ?? '',
});

/** The error page that OneID shows instead of a redirect to the client. Both texts are this provider's own HTML. */
export const errorPage = (error: string, description: string): Answer =>
  page(`<!doctype html><title>${error}</title><h1>${error}</h1><p>${description}</p>`, 400);

/** @see {@link https://www.rfc-editor.org/rfc/rfc6749#section-5.2 RFC 6749 §5.2} */
export const oauthError = (error: string, description: string, status = 400): Answer =>
  json({ error, error_description: description }, status, { 'Cache-Control': 'no-store' });
