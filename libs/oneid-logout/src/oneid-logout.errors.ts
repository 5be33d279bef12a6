import { HttpException, HttpStatus } from '@nestjs/common';

/** Why the guard rejected a request. The 401 body contains it as `reason`. */
export type RejectionReason = 'logged_out' | 'expired' | 'unknown' | 'missing' | 'ambiguous';

/**
 * The base class of the library's HTTP errors.
 *
 * `code` is stable and meant for programs. `message` is for people and never contains a token, a `sid` or a secret.
 * The error is an `HttpException`: if the app does not catch it, Nest answers with the right status.
 */
export abstract class OneIdLogoutError extends HttpException {
  protected constructor(
    /** Stable, machine-readable name of the error. */
    readonly code: string,
    message: string,
    status: HttpStatus,
    details: Record<string, string> = {},
    cause?: unknown,
  ) {
    super(
      { statusCode: status, error: code, message, ...details },
      status,
      cause === undefined ? undefined : { cause, description: code },
    );
    this.message = message;
  }
}

/** 400: a logout token has failed a check (OpenID Connect Back-Channel Logout 1.0 §2.6). */
export class InvalidLogoutTokenError extends OneIdLogoutError {
  constructor(code: LogoutTokenFault, message: string, cause?: unknown) {
    super(code, message, HttpStatus.BAD_REQUEST, {}, cause);
  }
}

/** Why a logout token, or the request that brings it, is refused: the codes of {@link InvalidLogoutTokenError}. */
export const LOGOUT_TOKEN_FAULTS = [
  'logout_request_malformed',
  'logout_token_missing',
  'logout_token_malformed',
  'logout_token_encryption_not_allowed',
  'logout_token_decryption_failed',
  'logout_token_alg_not_allowed',
  'logout_token_typ_not_allowed',
  'logout_token_crit_not_supported',
  'logout_token_issuer_unknown',
  'logout_token_audience_mismatch',
  'logout_token_iat_invalid',
  'logout_token_too_old',
  'logout_token_expired',
  'logout_token_exp_missing',
  'logout_token_jti_missing',
  'logout_token_subject_missing',
  'logout_token_events_invalid',
  'logout_token_nonce_present',
  'logout_token_key_unknown',
  'logout_token_signature_invalid',
] as const;

export type LogoutTokenFault = (typeof LOGOUT_TOKEN_FAULTS)[number];

/** 401: `SessionRegistry` does not accept the ID token (OpenID Connect Core 1.0 §3.1.3.7). */
export class InvalidIdTokenError extends OneIdLogoutError {
  constructor(message: string, cause?: unknown) {
    super('id_token_invalid', message, HttpStatus.UNAUTHORIZED, {}, cause);
  }
}

const REJECTIONS: Record<RejectionReason, string> = {
  logged_out: 'A logout has ended the session',
  expired: 'The session has expired',
  unknown: 'The session is unknown',
  missing: 'The request carries no session',
  ambiguous: 'The request carries sessions of different users, or too many sessions',
};

/**
 * 401: a logout has ended the session of a sign-in or a refresh.
 *
 * At a sign-in, send the browser to OneID once more with `prompt=login`: every version of OneID then gives a new `sid`.
 * Wait one second before, if the provider's logout tokens can be without `sid`: such a logout also ends the sign-ins of
 * its own second.
 */
export class SessionEndedError extends OneIdLogoutError {
  constructor() {
    super('session_ended', REJECTIONS.logged_out, HttpStatus.UNAUTHORIZED, {
      reason: 'logged_out' satisfies RejectionReason,
    });
  }
}

/** 401: the guard rejected a request; `reason` says why. */
export class SessionRejectedError extends OneIdLogoutError {
  constructor(readonly reason: RejectionReason) {
    super(`session_${reason}`, REJECTIONS[reason], HttpStatus.UNAUTHORIZED, { reason });
  }
}

/** The reason of a failure, for the log. The message of an error of this library is for the caller, so its cause counts. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  if (error instanceof OneIdLogoutError) return cause ?? error.message;
  return cause === undefined ? error.message : `${error.message}: ${cause}`;
}

/** 400: a `returnTo` is not on the allow-list, or `LogoutService` can't use another argument; `code` says which. */
export class InvalidLogoutRequestError extends OneIdLogoutError {
  constructor(
    code:
      | 'return_url_not_allowed'
      | 'client_ambiguous'
      | 'client_unknown'
      | 'user_invalid'
      | 'session_not_registered'
      | 'parameter_reserved',
    message: string,
  ) {
    super(code, message, HttpStatus.BAD_REQUEST);
  }
}

/** 403: another site tried to start a logout, or a JSON caller's request would need the confirmation page. */
export class CrossSiteLogoutError extends OneIdLogoutError {
  constructor() {
    super('cross_site_request', 'Only a page of this site can start a logout', HttpStatus.FORBIDDEN);
  }
}

/** The `Retry-After` of the 503 of a {@link StoreUnavailableError}, seconds. */
export const STORE_RETRY_AFTER_SECONDS = 5;

/** 503: the session store did not answer. The library has made no decision; the caller should try again. */
export class StoreUnavailableError extends OneIdLogoutError {
  constructor(cause: unknown) {
    super(
      'store_unavailable',
      'The session store is not available, try again',
      HttpStatus.SERVICE_UNAVAILABLE,
      {},
      cause,
    );
  }
}

/** 503: the provider's metadata or keys can't be had now. */
export class ProviderUnavailableError extends OneIdLogoutError {
  constructor(message: string, cause?: unknown) {
    super('provider_unavailable', message, HttpStatus.SERVICE_UNAVAILABLE, {}, cause);
  }
}

/**
 * 500: the provider's answer does not fit the options, or can't be used. This lasts until the options or the provider
 * are changed, so the caller should not try again. The log has the values that came and that were expected. For a
 * logout token, the back-channel answers 503 instead, and keeps the token.
 */
export class ProviderMisconfiguredError extends OneIdLogoutError {
  /** @param detail for the log only: what came, what was expected, what to do */
  constructor(message: string, detail: string) {
    super('provider_misconfigured', message, HttpStatus.INTERNAL_SERVER_ERROR, {}, new Error(detail));
  }
}

/**
 * The error for a caller whose question to the provider has failed: a lasting fault stays as it is, anything else
 * counts as a passing outage.
 */
export function providerError(message: string, cause: unknown): ProviderMisconfiguredError | ProviderUnavailableError {
  return cause instanceof ProviderMisconfiguredError ? cause : new ProviderUnavailableError(message, cause);
}

/** Thrown at boot. One message lists all faults that were found in the options. */
export class InvalidOptionsError extends Error {
  readonly code = 'options_invalid';
  override readonly name = 'InvalidOptionsError';

  constructor(readonly faults: readonly string[]) {
    super(`OneIdLogoutModule: invalid options\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

/** Thrown at boot: the library can't open its database, or the database can't keep the library's promises. */
export class UnusableDatabaseError extends Error {
  override readonly name = 'UnusableDatabaseError';
  /** `sqlite_driver_unusable`: better-sqlite3 is missing, or does not work with this Node. */
  readonly code: 'database_unusable' | 'sqlite_driver_unusable';

  /**
   * @param fault the problem, without the connection's password
   * @param details.cure how the operator can solve it: the last sentence of the message
   */
  constructor(
    readonly fault: string,
    { code = 'database_unusable', cure, cause }: UnusableDatabaseDetails = {},
  ) {
    super(`OneIdLogoutModule: ${fault}${cure === undefined ? '' : `. ${cure}`}`, { cause });
    this.code = code;
  }
}

interface UnusableDatabaseDetails {
  readonly code?: UnusableDatabaseError['code'];
  readonly cure?: string;
  readonly cause?: unknown;
}
