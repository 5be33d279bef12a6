import { randomUUID } from 'node:crypto';

/**
 * One browser's login at OneID. All ID tokens of the login share these values.
 */
export interface BrowserLogin {
  /** The user's id. */
  readonly sub: string;
  /** OneID's session id, a UUID. */
  readonly sid: string;
  /** When the user signed in, in seconds since 1970. */
  readonly authTime: number;
  /** False: OneID tells no client when the login ends. */
  readonly remembered: boolean;
}

/** A sign-in at OneID, for {@link OneIdTestProvider.signIn}. */
export interface SignIn {
  /** The user's id; a random UUID by default. */
  sub?: string;
  /** OneID's session id; a random UUID by default. */
  sid?: string;
  /** True by default; false makes OneID end the login without telling any client. */
  remembered?: boolean;
}

/** The provider's logins: the browser's latest login, all logins that have not ended, and the clients of each login. */
export class BrowserLogins {
  #latest: BrowserLogin | undefined;
  #hasCookie = false;
  readonly #bySid = new Map<string, BrowserLogin>();
  readonly #clientIds = new Map<string, Set<string>>();

  constructor(private readonly seconds: () => number) {}

  /** The latest login in the browser, ended or not. */
  get latest(): BrowserLogin | undefined {
    return this.#latest;
  }

  /** The login of the browser's cookie; undefined when there is no cookie, or when the login has ended. */
  get current(): BrowserLogin | undefined {
    return this.#latest && this.#hasCookie ? this.find(this.#latest.sid) : undefined;
  }

  signIn({ sub = randomUUID(), sid = randomUUID(), remembered = true }: SignIn): BrowserLogin {
    const login = { sub, sid, authTime: this.seconds(), remembered };
    this.#bySid.set(sid, login);
    this.#latest = login;
    this.#hasCookie = true;
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

  /** Takes the cookie from the browser. Its login goes on. */
  removeCookie(): void {
    this.#hasCookie = false;
  }
}
