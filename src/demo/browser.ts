import { CookieJar } from './cookie-jar.js';
import { elements, firstForm, refreshTarget } from './html.js';

/** An answer, and what a browser would do next. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  body: string;
  /** Where its redirect or its `<meta http-equiv="refresh">` goes. */
  next?: string;
}

export interface FollowOptions {
  /** Stops before asking for a URL that starts so: the page that leads there is returned. */
  until?: string;
}

const MOST_HOPS = 20;

/** Who sends a request, as browsers tell servers. */
interface Initiator {
  from?: string;
  dest?: 'document' | 'iframe';
}

/** A browser without JavaScript or a screen: cookies, redirects, forms, iframes. */
export class Browser {
  readonly cookies = new CookieJar();

  /** One request, nothing followed. */
  get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#send(url, { headers }, {});
  }

  /** Types in an address, and follows where it leads. */
  async visit(url: string, options: FollowOptions = {}): Promise<Page> {
    return this.follow(await this.get(url), options);
  }

  /** Goes on through redirects and refreshes to a page that stays, loading iframes on the way. */
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

  /** Fills in the page's first form and sends it, one request. */
  submit(page: Page, values: Record<string, string> = {}): Promise<Page> {
    const form = firstForm(page.body);
    if (!form) {
      throw new Error(`no form on ${page.url}`);
    }
    return this.post(new URL(form.action ?? page.url, page.url).href, { ...form.fields, ...values }, page.url);
  }

  /** Sends a form from the page at `from`, one request. */
  post(url: string, fields: Record<string, string>, from = url): Promise<Page> {
    const init = { method: 'POST', body: new URLSearchParams(fields), headers: { origin: new URL(from).origin } };
    return this.#send(url, init, { from });
  }

  async #loadIframes(page: Page): Promise<void> {
    for (const { src } of elements(page.body, 'iframe')) {
      if (src) {
        const initiator = { from: page.url, dest: 'iframe' } as const;
        // A browser shows an iframe that doesn't load as empty, and goes on.
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
