import { createHash, hkdfSync } from 'node:crypto';
import { BadRequestException, Injectable } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type CookieOptions, type Response } from 'express';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { Settings } from '../settings.js';
import { type ReturnPage } from '../pages/return-page.js';

/** The values against which the app checks the callback from OneID. */
export interface SignInTransaction {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** True when the app itself has started this try after a failed one, see {@link SignInController}. */
  readonly isSecondTry: boolean;
  /** The page to show after the sign-in. */
  readonly returnTo: ReturnPage;
}

/** The browser has no transaction for this callback. */
export class UnknownTransactionError extends BadRequestException {
  constructor() {
    super('This sign-in did not start in this browser, is too old, or has already been used.');
  }
}

/** Seconds that a user may take at OneID. */
const MAX_AGE = 10 * 60;

/** Maximum number of unfinished sign-ins per browser. Any site can start more, and too many cookies break requests. */
const MOST_AT_ONCE = 5;

/**
 * Keeps each unfinished sign-in in its own encrypted cookie. Two tabs don't disturb each other, and the server
 * stores no state.
 */
@Injectable()
export class SignInTransactions {
  private readonly keys: readonly Uint8Array[];
  private readonly secure: boolean;
  private readonly prefix: string;

  constructor({ secrets, baseUrl, identity }: Settings) {
    this.keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'sign-in transaction', 32)));
    this.secure = baseUrl.startsWith('https:');
    this.prefix = `${this.secure ? '__Host-' : ''}${identity.cookiePrefix}_sign_in_`;
  }

  /** @param cookies the request's `Cookie` header; `keep` clears the oldest unfinished sign-ins above the maximum */
  async keep(response: Response, transaction: SignInTransaction, cookies = ''): Promise<void> {
    const unfinished = Object.keys(parseCookie(cookies)).filter((name) => name.startsWith(this.prefix));
    for (const name of unfinished.slice(0, 1 - MOST_AT_ONCE)) response.clearCookie(name, this.attributes());
    const [key] = this.keys;
    if (key === undefined) throw new Error('The app has no secret to encrypt the sign-in with: set APP_SECRETS');
    const value = await new EncryptJWT({ ...transaction })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setExpirationTime(`${MAX_AGE}s`)
      .encrypt(key);
    response.cookie(this.nameOf(transaction.state), value, { ...this.attributes(), maxAge: MAX_AGE * 1000 });
  }

  /** Returns the transaction of this `state` and clears its cookie; undefined when it is missing or too old. */
  async take(response: Response, state: string, cookies = ''): Promise<SignInTransaction | undefined> {
    const name = this.nameOf(state);
    const value = parseCookie(cookies)[name];
    if (value === undefined) return undefined;
    response.clearCookie(name, this.attributes());
    const transaction = await this.decrypt(value);
    return transaction?.state === state ? transaction : undefined;
  }

  private async decrypt(value: string): Promise<SignInTransaction | undefined> {
    for (const key of this.keys) {
      try {
        return (await jwtDecrypt<SignInTransaction>(value, key)).payload;
      } catch {
        // encrypted with another secret, expired, or not ours
      }
    }
    return undefined;
  }

  private nameOf(state: string): string {
    const digest = createHash('sha256').update(state).digest('hex').slice(0, 16);
    return this.prefix + digest;
  }

  private attributes(): CookieOptions {
    return { path: '/', secure: this.secure, httpOnly: true, sameSite: 'lax' };
  }
}
