import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { FormBodyError, type FormRequest, readForm } from '../http/form-body.js';
import { type HttpAnswer, jsonAnswer } from '../http/http-answer.js';
import {
  InvalidLogoutTokenError,
  OneIdLogoutError,
  ProviderUnavailableError,
  reasonOf,
  STORE_RETRY_AFTER_SECONDS,
} from '../oneid-logout.errors.js';
import { KEYS_COOL_DOWN } from '../provider/provider-keys.js';
import { ReplicaBarrier } from '../replicas/replica-barrier.js';
import { LogoutInbox } from '../sessions/logout-inbox.js';
import { LogoutTokenVerifier } from '../provider/logout-token.js';

/**
 * `Retry-After`, seconds. OneID obeys it and gives up after three to five attempts. After a failure, the library
 * fetches the provider's keys again only when their cool-down is over, so OneID must come back later than that.
 */
const RETRY_AFTER = { store: String(STORE_RETRY_AFTER_SECONDS), provider: String(KEYS_COOL_DOWN / 1000 + 1) };

/** Handles a back-channel request and makes its answer (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8). */
@Injectable()
export class BackchannelLogout {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly verifier: LogoutTokenVerifier,
    private readonly inbox: LogoutInbox,
    private readonly barrier: ReplicaBarrier,
  ) {}

  /**
   * 200 when the logout is recorded and the replica barrier is passed; 400 when the request or its token is invalid;
   * 503 when OneID should send the logout again.
   */
  async answer(request: FormRequest): Promise<HttpAnswer> {
    try {
      const token = onlyLogoutToken(await readForm(request));
      await this.inbox.record(await this.verifier.verify(token));
      await this.barrier.wait();
      return { status: 200, body: '' };
    } catch (error) {
      return this.refusal(error);
    }
  }

  private refusal(error: unknown): HttpAnswer {
    if (error instanceof FormBodyError) return badRequest('logout_request_malformed', error.message);
    if (error instanceof InvalidLogoutTokenError) {
      this.logger.warn(`Refused a logout token: ${error.code}: ${error.message}`);
      return badRequest(error.code, error.message);
    }
    const code = error instanceof OneIdLogoutError ? error.code : 'server_error';
    this.logger.error(
      `Could not process a logout token and answered 503, so that OneID sends it again: ${code}: ${reasonOf(error)}`,
    );
    return jsonAnswer(
      503,
      {
        error: 'temporarily_unavailable',
        error_description: 'The app could not process this logout, send it again',
        code,
      },
      { 'Retry-After': error instanceof ProviderUnavailableError ? RETRY_AFTER.provider : RETRY_AFTER.store },
    );
  }
}

function onlyLogoutToken(form: URLSearchParams): string {
  const tokens = form.getAll('logout_token');
  const [token] = tokens;
  if (tokens.length > 1)
    throw new InvalidLogoutTokenError('logout_request_malformed', 'logout_token is given more than once');
  if (!token) throw new InvalidLogoutTokenError('logout_token_missing', 'logout_token is missing');
  return token;
}

function badRequest(code: string, description: string): HttpAnswer {
  return jsonAnswer(400, { error: 'invalid_request', error_description: description, code });
}
