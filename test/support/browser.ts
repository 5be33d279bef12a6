import { type Host } from './host.js';

/** A request of the browser: from a click, a form or a script. */
export interface Visit {
  readonly method?: 'GET' | 'POST' | 'HEAD';
  /**
   * The value of `Sec-Fetch-Site`: it tells which page sent the request. `none` is a bookmark or the address bar. An
   * old browser does not send this header.
   */
  readonly from?: 'same-origin' | 'same-site' | 'cross-site' | 'none' | 'old-browser';
  readonly headers?: Record<string, string>;
  readonly body?: URLSearchParams;
}

/** A simple browser for logouts: it keeps cookies, and tells the server which page sent the request. */
export class Browser {
  readonly cookies = new Map<string, string>();

  constructor(private readonly host: Pick<Host, 'url'>) {}

  async visit(
    path: string,
    { method = 'GET', from = 'same-origin', headers = {}, body }: Visit = {},
  ): Promise<Response> {
    const response = await fetch(this.host.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(from !== 'old-browser' && { 'sec-fetch-site': from }),
        ...(this.cookies.size > 0 && { cookie: this.cookieHeader }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
    for (const cookie of response.headers.getSetCookie()) this.keep(cookie);
    return response;
  }

  get cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  private keep(cookie: string): void {
    const [pair = '', ...attributes] = cookie.split('; ');
    const [name = '', value = ''] = pair.split('=');
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** The request that a page sends without a click: by `<meta refresh>`, or by a form that submits itself. */
export interface NextRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export function nextRequest(html: string): NextRequest {
  const url = /<meta http-equiv="refresh" content="0; url=([^"]*)">/.exec(html)?.[1];
  if (url !== undefined) {
    const target = decodeEntities(url);
    return { method: 'GET', url: target, fields: Object.fromEntries(new URL(target).searchParams) };
  }
  const action = /<form method="post" action="([^"]*)">/.exec(html)?.[1];
  if (action === undefined) throw new Error('The page sends no request by itself');
  const inputs = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return {
    method: 'POST',
    url: decodeEntities(action),
    fields: Object.fromEntries(
      inputs.map(([, name = '', value = '']) => [decodeEntities(name), decodeEntities(value)]),
    ),
  };
}

/** Sends the request like a browser. It does not follow a redirect. */
export function sendRequest({ method, url, fields }: NextRequest): Promise<Response> {
  return fetch(url, { method, redirect: 'manual', ...(method === 'POST' && { body: new URLSearchParams(fields) }) });
}

function decodeEntities(text: string): string {
  const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity);
}
