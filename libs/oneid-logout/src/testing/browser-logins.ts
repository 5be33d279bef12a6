import { randomUUID } from 'node:crypto';

/**
 * One browser's login at OneID. All ID tokens of the login share these values.
 */
export interface BrowserLogin {
  readonly sub: string;
  /** OneID's session id, a UUID. */
  readonly sid: string;
  /** When the user signed in, in seconds since 1970. */
  readonly authTime: number;
  /** False: OneID tells no client when the login ends. */
  readonly remembered: boolean;
}

export interface SignIn {
  sub?: string;
  sid?: string;
  /** True by default; false makes OneID end the login without telling any client. */
  remembered?: boolean;
}

/** The provider's logins: the browser's latest login, all logins that have not ended, and the clients of each login. */
export class BrowserLogins {
  #latest: BrowserLogin | undefined;
  readonly #bySid = new Map<string, BrowserLogin>();
  readonly #clientIds = new Map<string, Set<string>>();

  constructor(private readonly seconds: () => number) {}

  /** The browser's latest login, ended or not. */
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

  /** The login with this `sid`; undefined when it has ended or is unknown. */
  find(sid: string): BrowserLogin | undefined {
    return this.#bySid.get(sid);
  }

  /** Records that the client has an ID token of the login. OneID tells the client when the login ends. */
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
