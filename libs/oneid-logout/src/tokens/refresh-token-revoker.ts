import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { BackgroundJob } from '../background-job.js';
import { Clock } from '../clock.js';
import { Measures } from '../measures/measures.js';
import { Random } from '../random.js';
import { type OneIdClient, OneIdClients } from '../provider/oneid-clients.js';
import { type DueLogout, RevocationQueue } from '../store/revocation-queue.js';
import { type StoredTokens, TokenRepository } from '../store/token.repository.js';
import { CONFIRM_AFTER, LeasedLogout, type Outcome } from './leased-logout.js';
import { MOST_REFUSALS, RunAnswers } from './run-answers.js';
import { isOfEveryone } from '../rule/logout.js';
import { TokenVault } from './token-vault.js';
import { requestRevocation } from '../provider/revocation-request.js';

/** How often to look for due logouts, milliseconds. */
const INTERVAL = 30_000;

/** Sessions whose tokens one query reads. */
const BATCH = 20;

/** How many tokens of a logout after an outage one turn looks at. */
const SLOW_BATCH = 100;

/** How many due logouts are checked together for tokens to revoke. */
const DUE_BATCH = 100;

/** `settled`: this token needs no more work, also when the provider refused to revoke it. */
type TokenOutcome = 'settled' | 'kept' | 'retry' | 'retryElsewhere' | 'confirm';

/** How far the work on a logout has come, whose tokens need several turns. */
interface Pass {
  afterSessionId: string;
  outcome: Outcome;
  someKept: boolean;
}

/** Token outcomes that do not end the work on the other tokens of the logout, those with the shortest pause last. */
const LASTING: readonly Outcome[] = ['done', 'kept', 'retryElsewhere', 'confirm'];

/**
 * Revokes the refresh tokens of ended sessions at the provider, and then erases them (OpenID Connect Back-Channel
 * Logout 1.0 §2.7, RFC 7009). A logout at OneID does not revoke them. The database stores the logouts that are due, so
 * the work continues after a restart.
 */
@Injectable()
export class RefreshTokenRevoker extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  /** Of the logouts after an outage, by id. Without it, for example after a restart, the work begins with the first token. */
  private readonly passes = new Map<string, Pass>();
  /** When this replica last made logouts due again, on the monotonic clock, milliseconds. */
  private reopenedAt = -Infinity;

  constructor(
    private readonly revocations: RevocationQueue,
    private readonly tokens: TokenRepository,
    private readonly vault: TokenVault,
    private readonly clients: OneIdClients,
    private readonly measures: Measures,
    clock: Clock,
    random: Random,
  ) {
    super('revoking refresh tokens', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    await this.reopen();
    const answers = new RunAnswers();
    // repeat: close the logouts without tokens, then work on each of the others. It ends when no logout is due
    for (;;) {
      const withTokens = await this.revocations.closeLogoutsWithoutTokens(DUE_BATCH);
      for (let n = 0; n < Math.max(withTokens, 1); n++) {
        // one at a time: the lease counts from this read, and the turn of another logout may be long
        const readAt = this.clock.monotonicNow();
        const [logout] = await this.revocations.findDue(1);
        if (logout === undefined || this.stopping) return;
        await this.settle(new LeasedLogout(logout, readAt, this.clock), answers);
      }
    }
  }

  /** Once in an interval: a replica may have many logouts, and each of them wakes this job. */
  private async reopen(): Promise<void> {
    const now = this.clock.monotonicNow();
    if (now - this.reopenedAt < INTERVAL) return;
    await this.revocations.reopen();
    this.reopenedAt = now;
  }

  private async settle(leased: LeasedLogout, answers: RunAnswers): Promise<void> {
    const { logout } = leased;
    if (!(await this.revocations.claim(logout))) return;
    const isSlow = logout.channel === 'unconfirmed' && isOfEveryone(logout);
    const outcome = await (isSlow ? this.settleSlowly(leased, answers) : this.settleTokens(leased, answers));
    const next = leased.nextDue(outcome);
    const { someKept } = leased;
    const released = await this.revocations.release(logout, next, { kept: outcome === 'kept', someKept });
    if (released && next === null && outcome !== 'done') {
      this.logger.error('Gave up revoking the refresh tokens of a logout, because the time to keep the logout is over');
    }
  }

  private async settleTokens(leased: LeasedLogout, answers: RunAnswers): Promise<Outcome> {
    const { logout } = leased;
    let outcome: Outcome = 'done';
    let settledCount = 0;
    for (const ownSessions of [true, false]) {
      let lastSessionId = '';
      let batch: StoredTokens[];
      do {
        batch = await this.findTokens(logout, ownSessions, lastSessionId);
        for (const tokens of batch) {
          if (this.stopping || leased.isOver) return 'continue';
          const result = await this.settleToken(tokens, leased, answers);
          // the login goes on, for all of these tokens. The logouts of their own sessions stay due
          if (result === 'kept' && !ownSessions) return outcome;
          if (result === 'kept') leased.someKept = true;
          if (result === 'retry') return settledCount > 0 ? 'retrySoon' : 'retry';
          if (result === 'settled' || result === 'confirm') settledCount += 1;
          outcome = lasting(outcome, result);
          lastSessionId = tokens.sessionId;
        }
      } while (batch.length === BATCH || (isOfEveryone(logout) && batch.length > 0));
    }
    return outcome;
  }

  /**
   * For a logout after an outage: it ends the sessions of everyone, and most users come back. So there is no hurry, and a
   * turn looks at some of the tokens only.
   */
  private async settleSlowly(leased: LeasedLogout, answers: RunAnswers): Promise<Outcome> {
    const { logout } = leased;
    const pass = this.passes.get(logout.id) ?? { afterSessionId: '', outcome: 'done', someKept: false };
    const isFirstTurn = pass.afterSessionId === '';
    this.passes.set(logout.id, pass);
    for (let count = 0; count < SLOW_BATCH;) {
      const batch = await this.findTokens(logout, true, pass.afterSessionId);
      if (batch.length === 0) {
        this.passes.delete(logout.id);
        leased.someKept = pass.someKept;
        // only a turn that has looked at all tokens knows that none are left
        return isFirstTurn || pass.outcome !== 'done' ? pass.outcome : 'slow';
      }
      for (const tokens of batch) {
        if (this.stopping || leased.isOver) return 'slow';
        const result = await this.settleToken(tokens, leased, answers);
        if (result === 'retry') return 'retry';
        if (result === 'kept') pass.someKept = true;
        pass.outcome = lasting(pass.outcome, result);
        pass.afterSessionId = tokens.sessionId;
      }
      count += batch.length;
    }
    leased.someKept = pass.someKept;
    return 'slow';
  }

  /** Revokes the refresh token of one session, and erases the tokens that need no more work. */
  private async settleToken(tokens: StoredTokens, leased: LeasedLogout, answers: RunAnswers): Promise<TokenOutcome> {
    const isFrontchannel = leased.logout.channel === 'frontchannel';
    const result = isFrontchannel ? 'settled' : await this.revoke(tokens, leased, answers);
    if (result === 'settled') await this.tokens.erase(tokens, { unlessRevoking: isFrontchannel });
    return result;
  }

  /** @param ownSessions of the sessions that the logout ends; otherwise of the sessions beside them */
  private findTokens(logout: DueLogout, ownSessions: boolean, afterSessionId: string): Promise<StoredTokens[]> {
    const { id } = logout;
    if (!ownSessions) return this.tokens.findBeside(id, afterSessionId, BATCH);
    if (isOfEveryone(logout)) return this.tokens.findEndedWithEveryone(id, afterSessionId, BATCH);
    return this.tokens.findEndedBy(id, afterSessionId, BATCH);
  }

  private async revoke(tokens: StoredTokens, leased: LeasedLogout, answers: RunAnswers): Promise<TokenOutcome> {
    if (tokens.refreshToken === null) return 'settled';
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(
        `Can't revoke a refresh token: this replica has no client ${tokens.clientId} of ${tokens.issuer}`,
      );
      return 'retryElsewhere';
    }
    if (client.keepOfflineTokens) return 'settled';
    if (tokens.revokedAt !== null && leased.now < tokens.revokedAt + CONFIRM_AFTER) return 'confirm';
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: this replica has no secret that decrypts it");
      return 'retryElsewhere';
    }
    if (answers.isDown(client)) return 'retry';
    if (answers.isRefused(client)) return 'retryElsewhere';
    // a provider may end the whole login with this token, and tell nobody of its other sessions (Keycloak)
    if (await this.tokens.hasAliveSibling(tokens)) return 'kept';
    return this.ask(client, refreshToken, tokens, leased, answers);
  }

  private async ask(
    client: OneIdClient,
    refreshToken: string,
    tokens: StoredTokens,
    leased: LeasedLogout,
    answers: RunAnswers,
  ): Promise<TokenOutcome> {
    const { issuer, clientId } = client;
    const saidSoBefore = tokens.revokedAt !== null;
    const answer = await this.measures.revocation(leased.logout.id, issuer, () =>
      requestRevocation(client, refreshToken),
    );
    switch (answer.result) {
      case 'revoked':
        // Hydra also answers 200 when its database has failed, so one answer is no proof
        if (saidSoBefore) return 'settled';
        await this.tokens.noteRevoked(tokens, leased.now);
        return 'confirm';
      case 'no_endpoint':
        this.logger.warn(
          `${issuer} has no revocation_endpoint: the library has erased a refresh token without revoking it`,
        );
        return 'settled';
      case 'refused':
        if (!saidSoBefore) {
          this.logger.error(
            `${issuer} refused to revoke a refresh token, and the library has erased it: ${answer.reason}`,
          );
        }
        return 'settled';
      case 'not_accepted':
        this.logger.error(
          `${issuer} did not accept a revocation request of the client ${clientId}, the library keeps the refresh token ` +
            `and will try again: ${answer.reason}. Check clientAuthentication and the revocation_endpoint`,
        );
        answers.noteRefusal(client, answer.isAboutClient ? MOST_REFUSALS : 1);
        return 'retryElsewhere';
      case 'unavailable':
        this.logger.warn(`Could not revoke a refresh token at ${issuer} yet, will try again: ${answer.reason}`);
        answers.noteDown(client);
        return 'retry';
    }
  }
}

/** The outcome for several tokens: the one with the shortest pause. */
function lasting(outcome: Outcome, result: Exclude<TokenOutcome, 'retry'>): Outcome {
  return result !== 'settled' && LASTING.indexOf(result) > LASTING.indexOf(outcome) ? result : outcome;
}
