import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type CookieOptions, clearCookie, readCookie, setCookie } from '../http/cookies.js';
import { SessionRepository } from '../store/session.repository.js';
import { digest } from '../rule/targets.js';

/** How long a browser may stay at OneID and still be led to where its logout wanted it: seconds. */
const MAX_AGE = 15 * 60;

export interface LogoutState {
  readonly state: string;
  /** The id under which the logout is recorded, so that its state can be used once only. */
  readonly logoutId: string;
  readonly cookie: string;
}

export interface LogoutReturn {
  /** Where the logout wanted the browser to go; undefined for a `state` that is not this browser's, or used already. */
  readonly returnTo?: string;
  /** `Set-Cookie` values. */
  readonly cookies: readonly string[];
}

/**
 * `state` of a logout: random, bound to the browser by a cookie of its own, and used once.
 *
 * The cookie binds it (nobody else has it), the recorded logout uses it up (on whichever replica), and where it leads
 * is checked against the allow-list again on return.
 */
@Injectable()
export class LogoutStates {
  constructor(private readonly repository: SessionRepository) {}

  /** @param origin the app's public origin: its scheme says whether the cookie is `Secure` */
  create(returnTo: string, origin: string): LogoutState {
    const state = randomBytes(32).toString('base64url');
    return { state, logoutId: logoutIdOf(state), cookie: setCookie(cookieOf(state, origin), returnTo, MAX_AGE) };
  }

  /**
   * Uses a `state` up.
   *
   * @param cookieHeader the request's `Cookie`
   * @throws {StoreUnavailableError} 503
   */
  async redeem(
    state: string | undefined,
    cookieHeader: string | string[] | undefined,
    origin: string,
  ): Promise<LogoutReturn> {
    if (state === undefined) return { cookies: [] };
    const cookie = cookieOf(state, origin);
    const returnTo = readCookie(cookieHeader, cookie.name);
    if (returnTo === undefined) return { cookies: [] };
    const cookies = [clearCookie(cookie)];
    return (await this.repository.noteReturn(logoutIdOf(state), MAX_AGE * 1000)) ? { returnTo, cookies } : { cookies };
  }
}

function logoutIdOf(state: string): string {
  return digest(['state', state]);
}

/** One cookie a logout, so that two at once in one browser don't meet; named by a hash, so that none is a known name. */
function cookieOf(state: string, origin: string): CookieOptions {
  const secure = origin.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}oneid-logout-${digest(['cookie', state]).slice(0, 16)}`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'lax' };
}
