import { type Host } from './host.js';

/** A click, a form or a script of a page, as browsers tell servers of it. */
export interface Visit {
  readonly method?: 'GET' | 'POST' | 'HEAD';
  /** The page it starts from: one of ours, another site's, or none (a bookmark). Old browsers say nothing. */
  readonly from?: 'same-origin' | 'same-site' | 'cross-site' | 'none' | 'old-browser';
  readonly headers?: Record<string, string>;
  readonly body?: URLSearchParams;
}

/** As much of a browser as a logout takes: it keeps cookies, and says where its requests come from. */
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

/** Where a page that goes on by itself leads: by `<meta refresh>`, or as a form that submits itself. */
export interface WayOn {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export function wayOn(html: string): WayOn {
  const url = /<meta http-equiv="refresh" content="0; url=([^"]*)">/.exec(html)?.[1];
  if (url !== undefined) {
    const target = decodeEntities(url);
    return { method: 'GET', url: target, fields: Object.fromEntries(new URL(target).searchParams) };
  }
  const action = /<form method="post" action="([^"]*)">/.exec(html)?.[1];
  if (action === undefined) throw new Error('the page leads nowhere');
  const inputs = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return {
    method: 'POST',
    url: decodeEntities(action),
    fields: Object.fromEntries(
      inputs.map(([, name = '', value = '']) => [decodeEntities(name), decodeEntities(value)]),
    ),
  };
}

/** Goes there as a browser would, and stops at the answer. */
export function goOn({ method, url, fields }: WayOn): Promise<Response> {
  return fetch(url, { method, redirect: 'manual', ...(method === 'POST' && { body: new URLSearchParams(fields) }) });
}

function decodeEntities(text: string): string {
  const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity);
}
