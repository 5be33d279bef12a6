import { randomBytes } from 'node:crypto';
import { type BrowserLogin } from './browser-logins.js';

/** A user's permission for a client. When it is revoked, all its tokens are revoked. */
export interface Grant {
  readonly clientId: string;
  readonly login: Pick<BrowserLogin, 'sub' | 'sid' | 'authTime'>;
  readonly scope: readonly string[];
  revoked: boolean;
}

/** A code or refresh token, valid for one use. */
export interface Ticket {
  readonly grant: Grant;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  used: boolean;
}

export interface Code extends Ticket {
  readonly redirectUri: string;
  readonly codeChallenge?: string;
  readonly nonce?: string;
}

/** Lifetime of a refresh token at OneID, in seconds: 720 hours. */
const refreshTokenLifetime = 720 * 3600;

const codeLifetime = 600;

/** Codes, refresh tokens and access tokens that the provider has given out. */
export class Grants {
  readonly #codes = new Map<string, Code>();
  readonly #refreshTokens = new Map<string, Ticket>();
  readonly #accessTokens = new Map<string, Grant>();

  constructor(private readonly seconds: () => number) {}

  addCode(code: Omit<Code, 'expiresAt' | 'used'>): string {
    return this.#add(this.#codes, { ...code, expiresAt: this.seconds() + codeLifetime, used: false });
  }

  addRefreshToken(grant: Grant): string {
    return this.#add(this.#refreshTokens, { grant, expiresAt: this.seconds() + refreshTokenLifetime, used: false });
  }

  addAccessToken(token: string, grant: Grant): void {
    this.#accessTokens.set(token, grant);
  }

  code(code: string): Code | undefined {
    return this.#codes.get(code);
  }

  refreshToken(token: string): Ticket | undefined {
    return this.#refreshTokens.get(token);
  }

  accessToken(token: string): Grant | undefined {
    return this.#accessTokens.get(token);
  }

  /** Uses up a code or refresh token; false when it is not valid. As in Hydra, a second use revokes the whole grant. */
  use(ticket: Ticket): boolean {
    if (ticket.used) ticket.grant.revoked = true;
    if (ticket.grant.revoked || ticket.expiresAt <= this.seconds()) return false;
    ticket.used = true;
    return true;
  }

  /** Revokes the grant of a token; false when the token is unknown, rotated out, revoked, or of another client. */
  revoke(token: string, clientId: string): boolean {
    const ticket = this.#refreshTokens.get(token);
    const grant = ticket?.used ? undefined : (ticket?.grant ?? this.#accessTokens.get(token));
    if (!grant || grant.clientId !== clientId || grant.revoked) return false;
    grant.revoked = true;
    return true;
  }

  #add<T extends Ticket>(tickets: Map<string, T>, ticket: T): string {
    const value = randomBytes(32).toString('base64url');
    tickets.set(value, ticket);
    return value;
  }
}
