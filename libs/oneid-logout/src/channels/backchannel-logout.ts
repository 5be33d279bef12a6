import { Injectable } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { Logger } from '../logger.js';
import { FormBodyError, type FormRequest, readForm } from '../http/form-body.js';
import { type HttpAnswer, jsonAnswer } from '../http/http-answer.js';
import {
  InvalidLogoutTokenError,
  OneIdLogoutError,
  ProviderUnavailableError,
  reasonOf,
  STORE_RETRY_AFTER_SECONDS,
  StoreUnavailableError,
} from '../oneid-logout.errors.js';
import { Measures } from '../measures/measures.js';
import { type VerifiedLogoutToken } from '../provider/logout-token.js';
import { RecentKeys } from '../recent-keys.js';
import { ReplicaBarrier } from '../replicas/replica-barrier.js';
import { LogoutInbox } from '../sessions/logout-inbox.js';
import { tokenKeyOf, UndecidedTokens } from '../sessions/undecided-tokens.js';
import { type AnswerTime, AnswerTimes } from './answer-time.js';

/** A token that is younger when it arrives is OneID's first attempt, seconds: the next one follows five seconds later. */
const FIRST_ATTEMPT = 4;

/** `Retry-After` from the second attempt on, seconds: Hydra gives up after three to five attempts. */
const LATER_RETRY_AFTER_SECONDS = 60;

/** How many tokens that have got a 503 the replica remembers: anyone can send some. */
const REMEMBERED = 1_000;

/** Handles a back-channel request and makes its answer (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8). */
@Injectable()
export class BackchannelLogout {
  private readonly logger = new Logger('OneIdLogout');
  /** The hashes of the last tokens that have got a 503. */
  private readonly deferred = new RecentKeys(REMEMBERED);

  constructor(
    private readonly times: AnswerTimes,
    private readonly tokens: UndecidedTokens,
    private readonly inbox: LogoutInbox,
    private readonly barrier: ReplicaBarrier,
    private readonly measures: Measures,
  ) {}

  /**
   * 200 when the logout is recorded and the replica barrier is passed; 400 when the request or its token is invalid;
   * 503 when the token could not be decided, or its logout could not be recorded, in time. The replica goes on with it,
   * because Hydra sends it again for three minutes at most, and Keycloak never does.
   */
  async answer(request: FormRequest): Promise<HttpAnswer> {
    const time = this.times.begin();
    let token: string | undefined;
    try {
      await this.measures.backchannel(async () => {
        token = this.onlyLogoutToken(await formOf(request));
        return this.process(token, time);
      });
      return { status: 200, body: '' };
    } catch (error) {
      return this.refusal(error, token, time.receivedAt.wall);
    } finally {
      time.end();
    }
  }

  private async process(token: string, time: AnswerTime): Promise<VerifiedLogoutToken> {
    const { verified, recorded } = this.tokens.receive(token, time.receivedAt);
    const logout = await time.forDecision(
      verified,
      () => new ProviderUnavailableError('The logout token could not be decided in time'),
    );
    try {
      await time.inTime(recorded, () => overdue('The logout could not be recorded in time'));
    } catch (error) {
      const later = error instanceof StoreUnavailableError && this.inbox.recordedLater(logout, time.left);
      if (!later || !time.takePlace()) throw error;
      await time.inTime(later, () => error);
    }
    const passed = this.barrier.wait();
    await (time.hasWaited ? time.inTime(passed, () => overdue('The replicas need more time')) : passed);
    return logout;
  }

  private onlyLogoutToken(form: URLSearchParams): string {
    const tokens = form.getAll('logout_token');
    const [token] = tokens;
    if (tokens.length === 1 && token) return token;
    const refusal =
      tokens.length > 1
        ? new InvalidLogoutTokenError('logout_request_malformed', 'logout_token is given more than once')
        : new InvalidLogoutTokenError('logout_token_missing', 'logout_token is missing');
    this.logger.warn(`Refused a logout token: ${refusal.code}: ${refusal.message}`);
    throw refusal;
  }

  private refusal(error: unknown, token: string | undefined, arrivedAt: number): HttpAnswer {
    if (error instanceof InvalidLogoutTokenError) return badRequest(error.code, error.message);
    const code = error instanceof OneIdLogoutError ? error.code : 'server_error';
    this.logger.error(`Could not process a logout token now, and answered 503: ${code}: ${reasonOf(error)}`);
    return jsonAnswer(
      503,
      {
        error: 'temporarily_unavailable',
        error_description: 'The app could not process this logout, send it again',
        code,
      },
      { 'Retry-After': String(this.noteDeferred(token) ? LATER_RETRY_AFTER_SECONDS : retryAfter(token, arrivedAt)) },
    );
  }

  /** Remembers that this token gets a 503. @returns true when it has got one before, whatever its `iat` says */
  private noteDeferred(token: string | undefined): boolean {
    if (token === undefined) return false;
    const key = tokenKeyOf(token);
    if (this.deferred.has(key)) return true;
    this.deferred.add(key);
    return false;
  }
}

async function formOf(request: FormRequest): Promise<URLSearchParams> {
  try {
    return await readForm(request);
  } catch (error) {
    if (error instanceof FormBodyError) throw new InvalidLogoutTokenError('logout_request_malformed', error.message);
    throw error;
  }
}

function overdue(what: string): StoreUnavailableError {
  return new StoreUnavailableError(new Error(what));
}

/**
 * `Retry-After`, seconds. It is short for the first attempt, so that a blip costs little. The next ones are a minute
 * apart, so that the few attempts of Hydra reach further: three attempts 65 s, five attempts 185 s.
 *
 * @param token not verified yet; undefined when the request has none
 * @param arrivedAt milliseconds since the epoch
 */
function retryAfter(token: string | undefined, arrivedAt: number): number {
  const ageMs = arrivedAt - issuedAt(token) * 1000;
  return ageMs >= FIRST_ATTEMPT * 1000 ? LATER_RETRY_AFTER_SECONDS : STORE_RETRY_AFTER_SECONDS;
}

/** @returns NaN when the token can't be read */
function issuedAt(token: string | undefined): number {
  try {
    return decodeJwt(token ?? '').iat ?? NaN;
  } catch {
    return NaN;
  }
}

function badRequest(code: string, description: string): HttpAnswer {
  return jsonAnswer(400, { error: 'invalid_request', error_description: description, code });
}
