import { Injectable, Logger } from '@nestjs/common';
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  None,
  processRevocationResponse,
  ResponseBodyError,
  revocationRequest,
} from 'oauth4webapi';
import { BackgroundJob } from '../background-job.js';
import { type OneIdClient, OneIdClients } from '../provider/oneid-clients.js';
import { providerFetch } from '../provider/provider-fetch.js';
import { type DueLogout, type StoredTokens, TokenRepository } from '../sessions/token.repository.js';
import { TokenVault } from '../sessions/token-vault.js';

const BATCH = 20;

/** When to try again after a failure, and for how long one replica has a logout to itself: milliseconds. */
const RETRY_DELAY = 60_000;

/** For how long to work on one logout before putting it back, well within that time: milliseconds. */
const TURN = 30_000;

/** Nothing is left to revoke; or some is, to go on with now, or after a while. */
type Outcome = 'done' | 'more' | 'later';

/**
 * Revokes at the provider, and then erases, the refresh tokens of sessions that a logout has ended (OpenID Connect
 * Back-Channel Logout 1.0 §2.7, RFC 7009). No logout at OneID does that. What is due stands in the database, so a
 * restart forgets nothing.
 */
@Injectable()
export class RefreshTokenRevoker extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly tokens: TokenRepository,
    private readonly vault: TokenVault,
    private readonly clients: OneIdClients,
  ) {
    super('revocation of refresh tokens', 30_000);
  }

  protected async work(): Promise<void> {
    // one that hangs is asked once, and holds up nobody else's
    const down = new Set<string>();
    for (;;) {
      const due = await this.tokens.findDue(BATCH);
      let more = due.length === BATCH;
      for (const logout of due) {
        if (this.stopping) return;
        if ((await this.settle(logout, down)) === 'more') more = true;
      }
      if (!more) return;
    }
  }

  private async settle(logout: DueLogout, down: Set<string>): Promise<Outcome> {
    const retryAt = logout.now + RETRY_DELAY;
    if (!(await this.tokens.moveDue(logout.id, logout.dueAt, retryAt))) return 'later';
    const outcome = await this.revokeEndedBy(logout.id, down);
    const gaveUp = outcome === 'later' && logout.overdue;
    if (gaveUp) this.logger.error('Gave up revoking refresh tokens of a logout past its retention');
    if (outcome === 'done' || gaveUp) await this.tokens.moveDue(logout.id, retryAt, null);
    if (outcome === 'more') await this.tokens.moveDue(logout.id, retryAt, logout.dueAt);
    return outcome;
  }

  private async revokeEndedBy(logoutId: string, down: Set<string>): Promise<Outcome> {
    const until = performance.now() + TURN;
    let failed = false;
    let last = '';
    for (;;) {
      const batch = await this.tokens.findEndedBy(logoutId, last, BATCH);
      for (const tokens of batch) {
        if (this.stopping || performance.now() > until) return failed ? 'later' : 'more';
        const result = down.has(tokens.issuer) ? 'provider_down' : await this.revoke(tokens);
        if (result === 'provider_down') {
          down.add(tokens.issuer);
          return 'later';
        }
        if (result === 'revoked') await this.tokens.erase(tokens);
        else failed = true;
        last = tokens.sessionId;
      }
      if (batch.length < BATCH) return failed ? 'later' : 'done';
    }
  }

  /** @returns `revoked` also where there is nothing to revoke */
  private async revoke(tokens: StoredTokens): Promise<'revoked' | 'refused' | 'provider_down'> {
    if (tokens.refreshToken === null) return 'revoked';
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(`Can't revoke a refresh token: no client ${tokens.clientId} of ${tokens.issuer} is configured`);
      return 'refused';
    }
    if (client.keepOfflineTokens) return 'revoked';
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: none of today's secrets opens it");
      return 'revoked';
    }
    try {
      await this.revokeAt(client, refreshToken);
      return 'revoked';
    } catch (error) {
      const refusal = error instanceof ResponseBodyError ? error : undefined;
      if (refusal?.error === 'unsupported_token_type') {
        this.logger.warn(`${client.issuer} does not revoke refresh tokens: one was erased, but not revoked`);
        return 'revoked';
      }
      this.logger.warn(`A refresh token could not be revoked yet: ${refusal?.error ?? String(error)}`);
      return refusal !== undefined && refusal.status < 500 && refusal.status !== 429 ? 'refused' : 'provider_down';
    }
  }

  private async revokeAt(client: OneIdClient, refreshToken: string): Promise<void> {
    const { issuer, revocation_endpoint } = await client.provider.metadata();
    if (revocation_endpoint === undefined) {
      this.logger.warn(`${issuer} has no revocation_endpoint: a refresh token was erased, but not revoked`);
      return;
    }
    const response = await revocationRequest(
      { issuer, revocation_endpoint },
      { client_id: client.clientId },
      authentication(client),
      refreshToken,
      {
        [allowInsecureRequests]: new URL(revocation_endpoint).protocol === 'http:',
        [customFetch]: (url: string, init) =>
          providerFetch(url, { method: init.method, headers: init.headers, body: init.body }),
        additionalParameters: { token_type_hint: 'refresh_token' },
      },
    );
    await processRevocationResponse(response);
  }
}

function authentication({ tokenEndpointAuthMethod, clientSecret }: OneIdClient) {
  if (tokenEndpointAuthMethod === 'none' || clientSecret === undefined) return None();
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? ClientSecretPost(clientSecret)
    : ClientSecretBasic(clientSecret);
}
