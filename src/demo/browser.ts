import { CookieJar } from './cookie-jar.js';
import { elements, firstForm, refreshTarget } from './html.js';

/** An answer, and the URL to which a browser would go next. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  body: string;
  /** Target of its redirect or of its `<meta http-equiv="refresh">`. */
  next?: string;
}

export interface FollowOptions {
  /** A URL prefix. The browser stops before it requests such a URL, and returns the page that leads there. */
  until?: string;
}

const MOST_HOPS = 20;

/** The source of a request, for the headers `Sec-Fetch-Site` and `Sec-Fetch-Dest`. */
interface Initiator {
  from?: string;
  dest?: 'document' | 'iframe';
}

/** A browser without JavaScript and without a screen. It handles cookies, redirects, forms and iframes. */
export class Browser {
  readonly cookies = new CookieJar();

  /** Sends one GET request and follows no redirect. */
  get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#send(url, { headers }, {});
  }

  /** Opens an address, and follows its redirects and refreshes. */
  async visit(url: string, options: FollowOptions = {}): Promise<Page> {
    return this.follow(await this.get(url), options);
  }

  /** Follows redirects and refreshes to the last page, and loads the iframes on the way. */
  async follow(page: Page, { until }: FollowOptions = {}): Promise<Page> {
    let current = page;
    for (let hops = 0; hops < MOST_HOPS; hops += 1) {
      await this.#loadIframes(current);
      if (!current.next || (until && current.next.startsWith(until))) {
        return current;
      }
      current = await this.#send(current.next, {}, { from: current.url });
    }
    throw new Error(`more than ${MOST_HOPS} redirects, the last one to ${current.url}`);
  }

  /** Fills in the page's first form and sends it in one request. */
  submit(page: Page, values: Record<string, string> = {}): Promise<Page> {
    const form = firstForm(page.body);
    if (!form) {
      throw new Error(`no form on ${page.url}`);
    }
    return this.post(new URL(form.action ?? page.url, page.url).href, { ...form.fields, ...values }, page.url);
  }

  /** Sends a form from the page at `from` in one request. */
  post(url: string, fields: Record<string, string>, from = url): Promise<Page> {
    const init = { method: 'POST', body: new URLSearchParams(fields), headers: { origin: new URL(from).origin } };
    return this.#send(url, init, { from });
  }

  async #loadIframes(page: Page): Promise<void> {
    for (const { src } of elements(page.body, 'iframe')) {
      if (src) {
        const initiator = { from: page.url, dest: 'iframe' } as const;
        // When an iframe doesn't load, a browser leaves it empty and goes on.
        await this.#send(new URL(src, page.url).href, {}, initiator).catch(() => undefined);
      }
    }
  }

  async #send(address: string, init: RequestInit, { from, dest = 'document' }: Initiator): Promise<Page> {
    const url = new URL(address);
    const headers = new Headers({
      accept: 'text/html,*/*;q=0.8',
      'sec-fetch-dest': dest,
      'sec-fetch-site': from ? relation(new URL(from), url) : 'none',
      ...(init.headers as Record<string, string> | undefined),
    });
    const cookie = this.cookies.header(url);
    if (cookie) {
      headers.set('cookie', cookie);
    }

    const answer = await fetch(url, { ...init, headers, redirect: 'manual' });
    this.cookies.store(url, answer.headers.getSetCookie());
    const body = await answer.text();
    const next = answer.headers.get('location') ?? refreshTarget(body);
    return {
      url: url.href,
      status: answer.status,
      headers: answer.headers,
      body,
      ...(next && { next: new URL(next, url).href }),
    };
  }
}

function relation(from: URL, to: URL): string {
  if (from.origin === to.origin) {
    return 'same-origin';
  }
  return from.hostname === to.hostname ? 'same-site' : 'cross-site';
}
