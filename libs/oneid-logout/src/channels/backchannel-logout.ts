import { Injectable, Logger } from '@nestjs/common';
import { FormBodyError, type FormRequest, readForm } from '../http/form-body.js';
import { type HttpAnswer, jsonAnswer } from '../http/http-answer.js';
import { InvalidLogoutTokenError, OneIdLogoutError, ProviderUnavailableError } from '../oneid-logout.errors.js';
import { KEYS_COOL_DOWN } from '../provider/provider-keys.js';
import { CommitWait } from '../sessions/commit-wait.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { LogoutTokenVerifier } from './logout-token.js';

/**
 * When OneID should try again: seconds. It honours that, and gives up after three to five attempts, so the provider's
 * keys must be asked for again before it comes back: that is after their cool-down.
 */
const RETRY_AFTER = { store: '5', provider: String(KEYS_COOL_DOWN / 1000 + 1) };

/** From a back-channel request to its answer (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8). */
@Injectable()
export class BackchannelLogout {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly verifier: LogoutTokenVerifier,
    private readonly recorder: LogoutRecorder,
    private readonly commitWait: CommitWait,
  ) {}

  /** 200 when the logout is on record and every replica knows it, 400 when the request is bad, 503 when OneID should send it again. */
  async answer(request: FormRequest): Promise<HttpAnswer> {
    try {
      const token = onlyLogoutToken(await readForm(request));
      await this.recorder.backchannel(await this.verifier.verify(token));
      await this.commitWait.wait();
      return { status: 200, body: '' };
    } catch (error) {
      return this.refusal(error);
    }
  }

  private refusal(error: unknown): HttpAnswer {
    if (error instanceof FormBodyError) return badRequest('logout_request_malformed', error.message);
    if (error instanceof InvalidLogoutTokenError) {
      this.logger.warn(`Refused a logout token: ${error.code}`);
      return badRequest(error.code, error.message);
    }
    const code = error instanceof OneIdLogoutError ? error.code : 'server_error';
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    this.logger.error(`Could not take a logout, OneID is asked to send it again: ${code}: ${reason}`);
    return jsonAnswer(
      503,
      { error: 'temporarily_unavailable', error_description: 'The logout could not be recorded, send it again', code },
      { 'Retry-After': error instanceof ProviderUnavailableError ? RETRY_AFTER.provider : RETRY_AFTER.store },
    );
  }
}

function onlyLogoutToken(form: URLSearchParams): string {
  const tokens = form.getAll('logout_token');
  const [token] = tokens;
  if (tokens.length > 1) throw new InvalidLogoutTokenError('logout_request_malformed', 'logout_token is given twice');
  if (!token) throw new InvalidLogoutTokenError('logout_token_missing', 'logout_token is missing');
  return token;
}

function badRequest(code: string, description: string): HttpAnswer {
  return jsonAnswer(400, { error: 'invalid_request', error_description: description, code });
}
