import { parseSetCookie } from 'cookie';

interface StoredCookie {
  host: string;
  name: string;
  value: string;
  path: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** One browser's cookies, separated by host and port, so that apps on one machine don't see each other's cookies. */
export class CookieJar {
  #cookies: StoredCookie[] = [];

  /** The `Cookie` header for a request to `url`; empty when the jar has no cookie for it. */
  header(url: URL): string {
    return this.#cookies
      .filter(({ host, path, expiresAt }) => host === url.host && covers(path, url.pathname) && expiresAt > Date.now())
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** Stores the cookies that an answer from `url` sets. An expired cookie replaces the old one, but is never sent. */
  store(url: URL, setCookies: string[]): void {
    for (const setCookie of setCookies) {
      const { name, value = '', path, maxAge, expires } = parseSetCookie(setCookie, { decode: (raw) => raw });
      const cookie: StoredCookie = {
        host: url.host,
        name,
        value,
        path: path?.startsWith('/') ? path : defaultPath(url.pathname),
        expiresAt: maxAge === undefined ? (expires?.getTime() ?? Infinity) : Date.now() + maxAge * 1000,
      };
      this.#cookies = this.#cookies.filter((other) => !isSame(cookie, other));
      this.#cookies.push(cookie);
    }
  }
}

function isSame(a: StoredCookie, b: StoredCookie): boolean {
  return a.host === b.host && a.name === b.name && a.path === b.path;
}

/** RFC 6265, section 5.1.4. */
function covers(path: string, pathname: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
}

/** RFC 6265, section 5.1.4. */
function defaultPath(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf('/')) || '/';
}
