import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { BackgroundJob } from '../background-job.js';
import { Clock } from '../clock.js';
import { Random } from '../random.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { type DueLogout, LEASE, RevocationQueue } from '../store/revocation-queue.js';
import { type StoredTokens, TokenRepository } from '../store/token.repository.js';
import { TokenVault } from './token-vault.js';
import { requestRevocation } from '../provider/revocation-request.js';

/** How often to look for due logouts, milliseconds. */
const INTERVAL = 30_000;

/** Sessions whose tokens one query reads. */
const BATCH = 20;

/** How many due logouts are checked together for tokens to revoke. */
const DUE_BATCH = 100;

const MINUTE = 60_000;

/**
 * The pause before the next try: as long as the time since the logout, within these limits, milliseconds.
 *
 * - `retry`: the provider is down.
 * - `retrySoon`: the provider went down after it had revoked some of the tokens.
 * - `retryElsewhere`: another replica may be able to revoke. It may have other clients, or a newer secret.
 */
const PAUSES = {
  retry: { least: MINUTE, most: 6 * 60 * MINUTE },
  retrySoon: { least: MINUTE, most: MINUTE },
  retryElsewhere: { least: MINUTE, most: 10 * MINUTE },
};

/** How long a replica works on one logout before it gives the logout back, milliseconds. */
const TURN = LEASE / 2;

/** `done`: no tokens remain. `continue`: go on with the remaining tokens now. The others name the next pause. */
type Outcome = 'done' | 'continue' | keyof typeof PAUSES;

/** `settled`: this token needs no more work, also when the provider refused to revoke it. */
type TokenOutcome = 'settled' | 'retry' | 'retryElsewhere';

/**
 * Revokes the refresh tokens of ended sessions at the provider, and then erases them (OpenID Connect Back-Channel
 * Logout 1.0 §2.7, RFC 7009). A logout at OneID does not revoke them. The database stores the logouts that are due, so
 * the work continues after a restart.
 */
@Injectable()
export class RefreshTokenRevoker extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly revocations: RevocationQueue,
    private readonly tokens: TokenRepository,
    private readonly vault: TokenVault,
    private readonly clients: OneIdClients,
    clock: Clock,
    random: Random,
  ) {
    super('revoking refresh tokens', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    // issuers that failed in this run: each is asked only once, so it does not delay the tokens of other issuers
    const down = new Set<string>();
    // repeat: close the logouts without tokens, then work on each of the others. It ends when no logout is due
    for (;;) {
      const withTokens = await this.revocations.closeLogoutsWithoutTokens(DUE_BATCH);
      for (let n = 0; n < Math.max(withTokens, 1); n++) {
        // one at a time: the lease counts from this read, and the turn of another logout may be long
        const [logout] = await this.revocations.findDue(1);
        if (logout === undefined || this.stopping) return;
        await this.settle(logout, down);
      }
    }
  }

  private async settle(logout: DueLogout, down: Set<string>): Promise<void> {
    if (!(await this.revocations.claim(logout))) return;
    const outcome = await this.settleTokens(logout, down);
    const next = nextTurn(logout, outcome);
    const released = await this.revocations.release(logout, next);
    if (released && next === null && outcome !== 'done') {
      this.logger.error('Gave up revoking the refresh tokens of a logout, because the time to keep the logout is over');
    }
  }

  private async settleTokens(logout: DueLogout, down: Set<string>): Promise<Outcome> {
    const until = this.clock.monotonicNow() + TURN;
    let outcome: Outcome = 'done';
    let settledCount = 0;
    let lastSessionId = '';
    for (;;) {
      const batch = await this.tokens.findEndedBy(logout.id, lastSessionId, BATCH);
      for (const tokens of batch) {
        if (this.stopping || this.clock.monotonicNow() > until) return 'continue';
        const result = logout.channel === 'frontchannel' ? 'settled' : await this.revoke(tokens, down);
        if (result === 'retry') return settledCount > 0 ? 'retrySoon' : 'retry';
        if (result === 'settled') {
          settledCount += 1;
          await this.tokens.erase(tokens, { unlessRevoking: logout.channel === 'frontchannel' });
        } else {
          outcome = result;
        }
        lastSessionId = tokens.sessionId;
      }
      if (batch.length < BATCH) return outcome;
    }
  }

  /** @param down the issuers that have failed in this run; a failure here adds one */
  private async revoke(tokens: StoredTokens, down: Set<string>): Promise<TokenOutcome> {
    if (tokens.refreshToken === null) return 'settled';
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(
        `Can't revoke a refresh token: this replica has no client ${tokens.clientId} of ${tokens.issuer}`,
      );
      return 'retryElsewhere';
    }
    if (client.keepOfflineTokens) return 'settled';
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: this replica has no secret that decrypts it");
      return 'retryElsewhere';
    }
    if (down.has(client.issuer)) return 'retry';
    const answer = await requestRevocation(client, refreshToken);
    switch (answer.result) {
      case 'revoked':
        return 'settled';
      case 'no_endpoint':
        this.logger.warn(
          `${client.issuer} has no revocation_endpoint: the library has erased a refresh token without revoking it`,
        );
        return 'settled';
      case 'refused':
        this.logger.error(
          `${client.issuer} refused to revoke a refresh token, and the library has erased it: ${answer.reason}`,
        );
        return 'settled';
      case 'unavailable':
        this.logger.warn(`Could not revoke a refresh token at ${client.issuer} yet, will try again: ${answer.reason}`);
        down.add(client.issuer);
        return 'retry';
    }
  }
}

/** When to work on a logout again: the database's clock, milliseconds; null for never. */
function nextTurn(logout: DueLogout, outcome: Outcome): number | null {
  if (outcome === 'done') return null;
  // now, but after the logouts that became due earlier
  if (outcome === 'continue') return logout.now;
  if (logout.overdue) return null;
  const { least, most } = PAUSES[outcome];
  return logout.now + Math.min(Math.max(logout.now - logout.recordedAt, least), most);
}
