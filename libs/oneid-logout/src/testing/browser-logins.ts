import { randomUUID } from 'node:crypto';

/**
 * One browser's login at OneID: what all ID tokens of it share.
 */
export interface BrowserLogin {
  readonly sub: string;
  /** OneID's session id, a UUID. */
  readonly sid: string;
  /** When the user signed in, in seconds since 1970. */
  readonly authTime: number;
  /** A login that is not remembered gets no notification when it ends. */
  readonly remembered: boolean;
}

export interface SignIn {
  sub?: string;
  sid?: string;
  /** True by default; false makes OneID end the login without telling any client. */
  remembered?: boolean;
}

/** The logins of the provider: which is the browser's, which are over, and which clients met them. */
export class BrowserLogins {
  #latest: BrowserLogin | undefined;
  readonly #bySid = new Map<string, BrowserLogin>();
  readonly #clientIds = new Map<string, Set<string>>();

  constructor(private readonly seconds: () => number) {}

  /** The browser's login, alive or not. */
  get latest(): BrowserLogin | undefined {
    return this.#latest;
  }

  get current(): BrowserLogin | undefined {
    return this.#latest && this.find(this.#latest.sid);
  }

  signIn({ sub = randomUUID(), sid = randomUUID(), remembered = true }: SignIn): BrowserLogin {
    const login = { sub, sid, authTime: this.seconds(), remembered };
    this.#bySid.set(sid, login);
    this.#latest = login;
    return login;
  }

  /** A login that has not ended. */
  find(sid: string): BrowserLogin | undefined {
    return this.#bySid.get(sid);
  }

  /** An ID token for the client tells it of the login, so it is told of the login's end. */
  meet(sid: string, clientId: string): void {
    const met = this.#clientIds.get(sid) ?? new Set();
    this.#clientIds.set(sid, met.add(clientId));
  }

  clientIdsOf(sid: string): readonly string[] {
    return [...(this.#clientIds.get(sid) ?? [])];
  }

  end(sid: string): void {
    this.#bySid.delete(sid);
  }
}
