import { types } from 'node:util';
import { HttpException, HttpStatus } from '@nestjs/common';

/**
 * Why the guard rejected a request. The body of the 401 contains it as `reason`, and `session_` plus the reason as
 * `error`.
 *
 * - `logged_out`: a logout has ended the session
 * - `unconfirmed`: after an outage, OneID must confirm the session again (option `reconfirmAfterOutageSeconds`): send the
 *   browser through OneID's sign-in
 * - `expired`: the session has reached its absolute end
 * - `idle`: the session has not been used for `maxIdleSeconds`
 * - `unknown`: the session was never registered, or the library has already deleted it
 * - `missing`: the request carries no session
 * - `ambiguous`: the request carries live sessions of different users, or too many values
 *
 * @category Errors
 */
export type RejectionReason = 'logged_out' | 'unconfirmed' | 'expired' | 'idle' | 'unknown' | 'missing' | 'ambiguous';

/**
 * The base class of the library's HTTP errors.
 *
 * `code` is stable and meant for programs. `message` is for people and never contains a token, a `sid` or a secret.
 * The error is an `HttpException`: if the app does not catch it, Nest answers with the status of `getStatus()` and the
 * body `{ statusCode, error, message }`, where `error` is the `code`. The cause of a 5xx is in `cause`, for your log.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { type ArgumentsHost, Catch } from '@nestjs/common';
 * import { BaseExceptionFilter } from '@nestjs/core';
 * import { OneIdLogoutError } from 'nestjs-oneid-logout';
 *
 * // counts the library's errors by their codes; the answer stays the same
 * @Catch(OneIdLogoutError)
 * export class CountingFilter extends BaseExceptionFilter {
 *   readonly counts = new Map<string, number>();
 *
 *   override catch(error: OneIdLogoutError, host: ArgumentsHost): void {
 *     this.counts.set(error.code, (this.counts.get(error.code) ?? 0) + 1);
 *     super.catch(error, host);
 *   }
 * }
 * ```
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

/**
 * 400: a logout token has failed a check (OpenID Connect Back-Channel Logout 1.0 §2.6), or the request carries none or
 * several (§2.5). `code` says which check.
 *
 * The module's own route answers OneID with it, so your code does not catch this error. The body of this answer is
 * `{ error: 'invalid_request', error_description, code }` (§2.8), and the log has the same code.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { type LogoutTokenFault } from 'nestjs-oneid-logout';
 * import { type OneIdTestProvider } from 'nestjs-oneid-logout/testing';
 *
 * // in a test: why does the app refuse this token?
 * export async function faultOf(oneId: OneIdTestProvider, uri: string, token: string): Promise<LogoutTokenFault> {
 *   const { attempts } = await oneId.deliver(uri, token, { attempts: 1 });
 *   const { code } = JSON.parse(attempts[0]?.body ?? '') as { code: LogoutTokenFault };
 *   return code; // 'logout_token_too_old', for example
 * }
 * ```
 */
export class InvalidLogoutTokenError extends OneIdLogoutError {
  constructor(code: LogoutTokenFault, message: string, cause?: unknown) {
    super(code, message, HttpStatus.BAD_REQUEST, {}, cause);
  }
}

/** The codes of {@link InvalidLogoutTokenError}. */
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

/**
 * Why a logout token or its request is refused: the `code` of {@link InvalidLogoutTokenError}, and the `code` in the
 * body of the 400 (OpenID Connect Back-Channel Logout 1.0 §2.6).
 *
 * @useDeclaredType
 * @category Errors
 */
export type LogoutTokenFault = (typeof LOGOUT_TOKEN_FAULTS)[number];

/**
 * 401 `id_token_invalid`: {@link SessionRegistry} does not accept the ID token (OpenID Connect Core 1.0 §3.1.3.7), and
 * has stored nothing of it. The message says which check failed: what came, what was expected, and which option changes
 * it.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { InvalidIdTokenError, type RegisterSessionOptions, SessionRegistry } from 'nestjs-oneid-logout';
 *
 * export async function signIn(sessions: SessionRegistry, tokens: RegisterSessionOptions): Promise<string | undefined> {
 *   try {
 *     return (await sessions.register(tokens)).sessionToken;
 *   } catch (error) {
 *     if (error instanceof InvalidIdTokenError) return undefined; // show the sign-in page again
 *     throw error;
 *   }
 * }
 * ```
 */
export class InvalidIdTokenError extends OneIdLogoutError {
  constructor(message: string, cause?: unknown) {
    super('id_token_invalid', message, HttpStatus.UNAUTHORIZED, {}, cause);
  }
}

const REJECTIONS: Record<RejectionReason, string> = {
  logged_out: 'A logout has ended the session',
  unconfirmed: 'OneID must confirm the session again after an outage',
  expired: 'The session has expired',
  idle: 'The session was not used for too long',
  unknown: 'The session is unknown',
  missing: 'The request carries no session',
  ambiguous: 'The request carries sessions of different users, or too many sessions',
};

/**
 * 401 `session_ended`: a logout has ended the session of a sign-in or a refresh. The body has the `reason` `logged_out`.
 *
 * At a sign-in, send the browser to OneID once more with `prompt=login`: every version of OneID then gives a new `sid`.
 * Wait one second before, if the provider's logout tokens can be without `sid`: such a logout also ends the sign-ins of
 * its own second.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { type RegisterSessionOptions, SessionEndedError, SessionRegistry } from 'nestjs-oneid-logout';
 *
 * export async function signIn(sessions: SessionRegistry, tokens: RegisterSessionOptions) {
 *   try {
 *     return { cookie: (await sessions.register(tokens)).sessionToken };
 *   } catch (error) {
 *     if (error instanceof SessionEndedError) return { signInAgainWith: { prompt: 'login' } };
 *     throw error;
 *   }
 * }
 * ```
 */
export class SessionEndedError extends OneIdLogoutError {
  constructor() {
    super('session_ended', REJECTIONS.logged_out, HttpStatus.UNAUTHORIZED, {
      reason: 'logged_out' satisfies RejectionReason,
    });
  }
}

/**
 * 401: {@link SessionAliveGuard} rejected a request, or {@link SessionRegistry} refused a session that is unknown,
 * expired or idle. `code` is `session_` plus the `reason`, and the body contains both (`error`, `reason`).
 *
 * In a gateway or a microservice, the guard throws a `WsException` or an `RpcException` with the same `error` and
 * `reason` instead. In GraphQL, they are in the `extensions` of this error.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { type ArgumentsHost, Catch } from '@nestjs/common';
 * import { BaseExceptionFilter } from '@nestjs/core';
 * import { type Request, type Response } from 'express';
 * import { SessionRejectedError } from 'nestjs-oneid-logout';
 *
 * // sends a browser without a live session to the sign-in; other callers get the 401
 * @Catch(SessionRejectedError)
 * export class SignInFilter extends BaseExceptionFilter {
 *   override catch(error: SessionRejectedError, host: ArgumentsHost): void {
 *     const [request, response] = host.getArgs<[Request, Response]>();
 *     if (request.accepts(['json', 'html']) === 'html') response.redirect(`/login?because=${error.reason}`);
 *     else super.catch(error, host);
 *   }
 * }
 * ```
 */
export class SessionRejectedError extends OneIdLogoutError {
  constructor(
    /** Why the session was refused. */
    readonly reason: RejectionReason,
  ) {
    super(`session_${reason}`, REJECTIONS[reason], HttpStatus.UNAUTHORIZED, { reason });
  }
}

/** The reason of a failure, for the log. The message of an error of this library is for the caller, so its cause counts. */
export function reasonOf(error: unknown): string {
  if (!types.isNativeError(error)) return String(error);
  const cause = types.isNativeError(error.cause) ? messageOf(error.cause) : undefined;
  if (error instanceof OneIdLogoutError) return cause ?? error.message;
  return cause === undefined ? error.message : `${error.message}: ${cause}`;
}

/** Node gives an error that holds the errors of several addresses an empty message, and a code. */
function messageOf(error: Error): string {
  return error.message || ('code' in error ? String(error.code) : error.name);
}

/**
 * 400: {@link LogoutService} or {@link SessionRegistry} can't use an argument. No session has ended. `code` says which:
 *
 * - `return_url_not_allowed`: `returnTo` is not one of the option `returnUrls`
 * - `client_unknown`: no configured client has this `clientId` or issuer
 * - `client_ambiguous`: several clients or issuers are configured, and the call names none of them
 * - `parameter_reserved`: `parameters` contains a name that the library itself sets
 * - `user_invalid`: the `sub` of {@link SessionRegistry.endAll} or {@link SessionRegistry.eraseUser} is missing or empty
 * - `author_invalid`: `by` or `reason` is empty, too long, has a control character, or is no text
 * - `session_not_registered`: {@link SessionRegistry.endOthers} got the session of a bearer token, which has no `id`
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { InvalidLogoutRequestError, LogoutService, type SessionFacts } from 'nestjs-oneid-logout';
 *
 * export async function start(logout: LogoutService, session: SessionFacts, returnTo: string) {
 *   try {
 *     return await logout.start({ session, returnTo });
 *   } catch (error) {
 *     const isForeign = error instanceof InvalidLogoutRequestError && error.code === 'return_url_not_allowed';
 *     if (!isForeign) throw error;
 *     return logout.start({ session }); // to the first of `returnUrls`
 *   }
 * }
 * ```
 */
export class InvalidLogoutRequestError extends OneIdLogoutError {
  constructor(
    code:
      | 'return_url_not_allowed'
      | 'client_ambiguous'
      | 'client_unknown'
      | 'user_invalid'
      | 'author_invalid'
      | 'session_not_registered'
      | 'parameter_reserved',
    message: string,
  ) {
    super(code, message, HttpStatus.BAD_REQUEST);
  }
}

/**
 * 403 `cross_site_request`: another site tried to start a logout, or a caller that accepts only JSON would need the
 * confirmation page of {@link LogoutService.respond}. No session has ended.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { type ArgumentsHost, Catch } from '@nestjs/common';
 * import { BaseExceptionFilter } from '@nestjs/core';
 * import { type Request, type Response } from 'express';
 * import { CrossSiteLogoutError } from 'nestjs-oneid-logout';
 *
 * // a person sees a page in place of Nest's JSON
 * @Catch(CrossSiteLogoutError)
 * export class CrossSiteFilter extends BaseExceptionFilter {
 *   override catch(error: CrossSiteLogoutError, host: ArgumentsHost): void {
 *     const [request, response] = host.getArgs<[Request, Response]>();
 *     if (request.accepts(['json', 'html']) === 'html') response.status(403).send('<p>Log out from our own page.</p>');
 *     else super.catch(error, host);
 *   }
 * }
 * ```
 */
export class CrossSiteLogoutError extends OneIdLogoutError {
  /** @param origin the app's public origin */
  constructor(origin: string) {
    super('cross_site_request', `Only a page of this site (${origin}) can start a logout`, HttpStatus.FORBIDDEN);
  }
}

/** The `Retry-After` of the 503 of a {@link StoreUnavailableError}, seconds. */
export const STORE_RETRY_AFTER_SECONDS = 5;

/**
 * 503 `store_unavailable`: the session store did not answer, or did not accept a write. The library has made no decision,
 * so the caller should try again. The guard sends `Retry-After: 5` (seconds) with it.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { SessionRegistry, StoreUnavailableError } from 'nestjs-oneid-logout';
 *
 * export async function endUser(sessions: SessionRegistry, sub: string): Promise<'ended' | 'try again'> {
 *   try {
 *     await sessions.endAll({ sub });
 *     return 'ended';
 *   } catch (error) {
 *     if (error instanceof StoreUnavailableError) return 'try again'; // the sessions may still be alive
 *     throw error;
 *   }
 * }
 * ```
 */
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

/**
 * 503 `clocks_differ`: {@link SessionRegistry.endEveryone} has ended no session, because the database's clock and this
 * host's clock differ by more than a minute. A logout of everyone that a wrong clock dates ahead would refuse every bearer
 * token until this time. Set the wrong clock right, then call again.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { ClocksDifferError, SessionRegistry } from 'nestjs-oneid-logout';
 *
 * export async function endEveryone(sessions: SessionRegistry, issuer: string): Promise<string> {
 *   try {
 *     await sessions.endEveryone({ issuer });
 *     return 'Everyone is signed out.';
 *   } catch (error) {
 *     if (error instanceof ClocksDifferError) return error.message; // no session has ended
 *     throw error;
 *   }
 * }
 * ```
 */
export class ClocksDifferError extends OneIdLogoutError {
  /** @param differenceMs how far the database's clock is ahead of this host's, milliseconds; negative if it is behind */
  constructor(differenceMs: number) {
    const seconds = Math.round(Math.abs(differenceMs) / 1000);
    super(
      'clocks_differ',
      `No session has ended: the database's clock is ${seconds} s ${differenceMs > 0 ? 'ahead of' : 'behind'} this ` +
        "host's clock. Set the wrong clock right",
      HttpStatus.SERVICE_UNAVAILABLE,
    );
  }
}

/**
 * 503 `provider_unavailable`: the library can't get the provider's metadata or keys now. The caller should try again.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { LogoutService, ProviderUnavailableError, type SessionFacts } from 'nestjs-oneid-logout';
 *
 * export async function logoutUrl(logout: LogoutService, session: SessionFacts): Promise<string> {
 *   try {
 *     return (await logout.start({ session })).url;
 *   } catch (error) {
 *     // the session has ended here; the user is still signed in at OneID
 *     if (error instanceof ProviderUnavailableError) return '/logged-out-here-only';
 *     throw error;
 *   }
 * }
 * ```
 */
export class ProviderUnavailableError extends OneIdLogoutError {
  constructor(message: string, cause?: unknown) {
    super('provider_unavailable', message, HttpStatus.SERVICE_UNAVAILABLE, {}, cause);
  }
}

/**
 * 500 `provider_misconfigured`: the provider's answer does not fit the options, or can't be used. This lasts until the options or the provider
 * are changed, so the caller should not try again. The log has the values that came and that were expected. For a
 * logout token, the back-channel answers 503 instead, and keeps the token.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { ProviderMisconfiguredError, ProviderUnavailableError } from 'nestjs-oneid-logout';
 *
 * // a job that signs users in tries again only when that can help
 * export function isWorthARetry(error: unknown): boolean {
 *   if (error instanceof ProviderMisconfiguredError) return false; // an operator must change the options or OneID
 *   return error instanceof ProviderUnavailableError;
 * }
 * ```
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

/**
 * Thrown at boot: the options are invalid. One message lists all faults that were found.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { NestFactory } from '@nestjs/core';
 * import { InvalidOptionsError, OneIdLogoutModule } from 'nestjs-oneid-logout';
 *
 * @Module({ imports: [OneIdLogoutModule.forRoot({ clients: [] })] })
 * class AppModule {}
 *
 * // a test of your configuration; without abortOnError: false, Nest logs the error and ends the process
 * export async function faultsOfOptions(): Promise<readonly string[]> {
 *   try {
 *     await (await NestFactory.createApplicationContext(AppModule, { abortOnError: false })).close();
 *     return [];
 *   } catch (error) {
 *     if (error instanceof InvalidOptionsError) return error.faults; // ['clients should not be empty']
 *     throw error;
 *   }
 * }
 * ```
 */
export class InvalidOptionsError extends Error {
  /** Stable, machine-readable name of the error. */
  readonly code = 'options_invalid';
  /** The name of this class. */
  override readonly name = 'InvalidOptionsError';

  constructor(
    /** One sentence for each fault: the option's path, and what it must be. */
    readonly faults: readonly string[],
  ) {
    super(`OneIdLogoutModule: invalid options\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

/**
 * Thrown at boot: the library can't open or migrate its database, or the database can't keep the library's promises. The
 * message says what the operator can do.
 *
 * @category Errors
 * @hideconstructor
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { NestFactory } from '@nestjs/core';
 * import { UnusableDatabaseError } from 'nestjs-oneid-logout';
 *
 * @Module({})
 * class AppModule {} // imports OneIdLogoutModule
 *
 * // a check before a deployment; without abortOnError: false, Nest logs the error and ends the process
 * export async function faultOfDatabase(): Promise<string | undefined> {
 *   try {
 *     await (await NestFactory.createApplicationContext(AppModule, { abortOnError: false })).close();
 *     return undefined;
 *   } catch (error) {
 *     if (error instanceof UnusableDatabaseError) return error.message;
 *     throw error;
 *   }
 * }
 * ```
 */
export class UnusableDatabaseError extends Error {
  /** The name of this class. */
  override readonly name = 'UnusableDatabaseError';
  /**
   * Stable, machine-readable name of the error. `sqlite_driver_unusable`: better-sqlite3 is missing, or does not work
   * with this Node. `typeorm_unusable`: the library does not support this version of TypeORM. `database_unusable`: every
   * other fault.
   */
  readonly code: 'database_unusable' | 'sqlite_driver_unusable' | 'typeorm_unusable';

  constructor(
    /** The problem, without the connection's password. */
    readonly fault: string,
    { code = 'database_unusable', cure, cause }: UnusableDatabaseDetails = {},
  ) {
    super(`OneIdLogoutModule: ${fault}${cure === undefined ? '' : `. ${cure}`}`, { cause });
    this.code = code;
  }
}

interface UnusableDatabaseDetails {
  readonly code?: UnusableDatabaseError['code'];
  /** How the operator can solve it: the last sentence of the message. */
  readonly cure?: string;
  readonly cause?: unknown;
}
