import { LOGOUT_TOKEN_FAULTS, OneIdLogoutError } from '../oneid-logout.errors.js';

/** The fallback of OpenTelemetry's semantic conventions for `error.type`. */
export const OTHER = '_OTHER';

/** Why a logout gets a 503: the codes of the errors that the database or the provider causes. */
export const OUTAGES = ['store_unavailable', 'provider_unavailable', 'provider_misconfigured'] as const;

/**
 * All values of `error.type`: the codes of the errors that a check, a logout or a revocation can end with, the results of
 * a revocation that failed, and the fallback.
 */
export const ERROR_TYPES: ReadonlySet<string> = new Set([
  ...LOGOUT_TOKEN_FAULTS,
  ...OUTAGES,
  ...['refused', 'not_accepted', 'unavailable'],
  OTHER,
]);

/** @returns the code of an error of the library, if it is in the list; otherwise `_OTHER` */
export function errorTypeOf(error: unknown): string {
  return error instanceof OneIdLogoutError && ERROR_TYPES.has(error.code) ? error.code : OTHER;
}
