import { Injectable } from '@nestjs/common';
import { type CookieOptions, clearCookie, readCookie, setCookie } from '../http/cookies.js';
import { Random } from '../random.js';
import { SessionRepository } from '../store/session.repository.js';
import { digest } from '../rule/targets.js';

/** How long a browser may stay at OneID, seconds. If it returns later, it goes to the first of `returnUrls`. */
const MAX_AGE = 15 * 60;

export interface LogoutState {
  readonly state: string;
  /** The id of the recorded logout. This record lets the state be used only once. */
  readonly logoutId: string;
  readonly cookie: string;
}

export interface LogoutReturn {
  /** The URL that the logout asked for; undefined if `state` is of another browser, too old or already used. */
  readonly returnTo?: string;
  /** `Set-Cookie` values for the answer. */
  readonly cookies: readonly string[];
}

/**
 * Creates and redeems the `state` of a logout: a random value, bound to one browser and usable once.
 *
 * A cookie that only this browser has binds the `state`. The recorded logout stores the first return, so no replica
 * accepts the `state` again. The callback checks the return URL against the allow-list once more.
 */
@Injectable()
export class LogoutStates {
  constructor(
    private readonly repository: SessionRepository,
    private readonly random: Random,
  ) {}

  /** @param origin the app's public origin; its scheme decides whether the cookie is `Secure` */
  create(returnTo: string, origin: string): LogoutState {
    const state = this.random.bytes(32).toString('base64url');
    return { state, logoutId: logoutIdOf(state), cookie: setCookie(cookieOf(state, origin), returnTo, MAX_AGE) };
  }

  /**
   * Accepts a `state` once; after that it is invalid.
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

/**
 * Each logout has its own cookie, so that two logouts in one browser do not overwrite each other. The name contains a
 * hash of `state`, so that a request can't choose a `state` that names another cookie.
 */
function cookieOf(state: string, origin: string): CookieOptions {
  const secure = origin.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}oneid-logout-${digest(['cookie', state]).slice(0, 16)}`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'lax' };
}
