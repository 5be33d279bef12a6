import { createHash, hkdfSync } from 'node:crypto';
import { BadRequestException, Injectable } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type CookieOptions, type Response } from 'express';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { Settings } from '../settings.js';

/** What this browser has to prove when it comes back from OneID. */
export interface SignInTransaction {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** The first try met a logout, see {@link SignInController}. */
  readonly isSecondTry: boolean;
}

/** A callback that this browser has no transaction for. */
export class UnknownTransactionError extends BadRequestException {
  constructor() {
    super('This sign-in was not started in this browser, is too old, or is used already.');
  }
}

/** How long a user may take at OneID: seconds. */
const MAX_AGE = 10 * 60;

/** Any site can send a browser here again and again, and too many cookies make every request too large. */
const MOST_AT_ONCE = 5;

/**
 * Sign-ins under way, each in an encrypted cookie of its own, so that two tabs don't meet and no server remembers them.
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

  /** @param cookies the request's: of those for sign-ins that were never finished only the last few are kept */
  async keep(response: Response, transaction: SignInTransaction, cookies = ''): Promise<void> {
    const unfinished = Object.keys(parseCookie(cookies)).filter((name) => name.startsWith(this.prefix));
    for (const name of unfinished.slice(0, 1 - MOST_AT_ONCE)) response.clearCookie(name, this.attributes());
    const [key] = this.keys;
    if (key === undefined) throw new Error('There is no secret to encrypt with');
    const value = await new EncryptJWT({ ...transaction })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setExpirationTime(`${MAX_AGE}s`)
      .encrypt(key);
    response.cookie(this.nameOf(transaction.state), value, { ...this.attributes(), maxAge: MAX_AGE * 1000 });
  }

  /** The transaction of this `state`, taken from the browser; undefined when it is not this browser's, or too old. */
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
        // sealed with an older secret, expired, or not ours
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
