import { Injectable, Logger } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { Clock } from '../clock.js';
import { Random } from '../random.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { type DueLogout, LEASE, type StoredTokens, TokenRepository } from '../store/token.repository.js';
import { TokenVault } from './token-vault.js';
import { requestRevocation } from '../provider/revocation-request.js';

/** Sessions whose tokens one query reads. */
const BATCH = 20;

/** How many due logouts are checked together for tokens to revoke. */
const DUE_BATCH = 100;

const MINUTE = 60_000;

/**
 * The pause before the next try: as long as the time since the logout, within these limits, milliseconds. `elsewhere`
 * has a shorter limit than `later`, because another replica (with other clients, or a newer secret) may be able to
 * revoke.
 */
const PAUSES = {
  later: { least: MINUTE, most: 6 * 60 * MINUTE },
  progress: { least: MINUTE, most: MINUTE },
  elsewhere: { least: MINUTE, most: 10 * MINUTE },
};

/** How long a replica works on one logout before it gives the logout back, milliseconds. */
const TURN = LEASE / 2;

/** `done`: no tokens are left. `more`: go on with the other tokens now. The others name the next pause. */
type Outcome = 'done' | 'more' | keyof typeof PAUSES;

/**
 * Revokes the refresh tokens of ended sessions at the provider, and then erases them (OpenID Connect Back-Channel
 * Logout 1.0 §2.7, RFC 7009). A logout at OneID does not revoke them. The database stores the logouts that are due, so
 * the work continues after a restart.
 */
@Injectable()
export class RefreshTokenRevoker extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly tokens: TokenRepository,
    private readonly vault: TokenVault,
    private readonly clients: OneIdClients,
    clock: Clock,
    random: Random,
  ) {
    super('revoking refresh tokens', 30_000, clock, random);
  }

  protected async work(): Promise<void> {
    // issuers that failed in this run: each is asked only once, so it does not delay the tokens of other issuers
    const down = new Set<string>();
    for (;;) {
      const withTokens = await this.tokens.closeLogoutsWithoutTokens(DUE_BATCH);
      for (let n = 0; n < Math.max(withTokens, 1); n++) {
        // one at a time: the lease counts from this read, and the turn of another logout may be long
        const [logout] = await this.tokens.findDue(1);
        if (logout === undefined || this.stopping) return;
        await this.settle(logout, down);
      }
    }
  }

  private async settle(logout: DueLogout, down: Set<string>): Promise<void> {
    if (!(await this.tokens.claim(logout))) return;
    const outcome = await this.settleTokens(logout, down);
    const next = nextTurn(logout, outcome);
    const released = await this.tokens.release(logout, next);
    if (released && next === null && outcome !== 'done') {
      this.logger.error('Gave up revoking the refresh tokens of a logout, because the time to keep the logout is over');
    }
  }

  private async settleTokens(logout: DueLogout, down: Set<string>): Promise<Outcome> {
    const until = this.clock.monotonicNow() + TURN;
    let left: Outcome = 'done';
    let settled = 0;
    let last = '';
    for (;;) {
      const batch = await this.tokens.findEndedBy(logout.id, last, BATCH);
      for (const tokens of batch) {
        if (this.stopping || this.clock.monotonicNow() > until) return 'more';
        const result = logout.channel === 'frontchannel' ? 'settled' : await this.revoke(tokens, down);
        if (result === 'later') return settled > 0 ? 'progress' : 'later';
        if (result === 'settled') {
          settled += 1;
          await this.tokens.erase(tokens, { unlessRevoking: logout.channel === 'frontchannel' });
        } else {
          left = result;
        }
        last = tokens.sessionId;
      }
      if (batch.length < BATCH) return left;
    }
  }

  /** @returns `settled` when this token needs no more work, even if the provider refused to revoke it */
  private async revoke(tokens: StoredTokens, down: Set<string>): Promise<'settled' | 'elsewhere' | 'later'> {
    if (tokens.refreshToken === null) return 'settled';
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(
        `Can't revoke a refresh token: this replica has no client ${tokens.clientId} of ${tokens.issuer}`,
      );
      return 'elsewhere';
    }
    if (client.keepOfflineTokens) return 'settled';
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: this replica has no secret that decrypts it");
      return 'elsewhere';
    }
    if (down.has(client.issuer)) return 'later';
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
        return 'later';
    }
  }
}

/** When to work on a logout again: the database's clock, milliseconds; null for never. */
function nextTurn(logout: DueLogout, outcome: Outcome): number | null {
  if (outcome === 'done') return null;
  // now, but after the logouts that became due earlier
  if (outcome === 'more') return logout.now;
  if (logout.overdue) return null;
  const { least, most } = PAUSES[outcome];
  return logout.now + Math.min(Math.max(logout.now - logout.recordedAt, least), most);
}
