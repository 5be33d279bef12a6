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

/** After a failure, and for how long one replica has a logout to itself: milliseconds. */
const RETRY_DELAY = 60_000;

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
    for (;;) {
      const due = await this.tokens.findDue(BATCH);
      for (const logout of due) await this.settle(logout);
      if (due.length < BATCH) return;
    }
  }

  private async settle(logout: DueLogout): Promise<void> {
    const retryAt = logout.now + RETRY_DELAY;
    if (!(await this.tokens.moveDue(logout.id, logout.dueAt, retryAt))) return;
    const done = await this.revokeEndedBy(logout.id);
    if (!done && logout.overdue) this.logger.error('Gave up revoking refresh tokens of a logout past its retention');
    if (done || logout.overdue) await this.tokens.moveDue(logout.id, retryAt, null);
  }

  private async revokeEndedBy(logoutId: string): Promise<boolean> {
    let done = true;
    let last = '';
    for (;;) {
      const batch = await this.tokens.findEndedBy(logoutId, last, BATCH);
      for (const tokens of batch) {
        if (await this.revoke(tokens)) await this.tokens.erase(tokens);
        else done = false;
        last = tokens.sessionId;
      }
      if (batch.length < BATCH) return done;
    }
  }

  /** @returns whether there is nothing left to revoke */
  private async revoke(tokens: StoredTokens): Promise<boolean> {
    if (tokens.refreshToken === null) return true;
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(`Can't revoke a refresh token: no client ${tokens.clientId} of ${tokens.issuer} is configured`);
      return false;
    }
    if (client.keepOfflineTokens) return true;
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: none of today's secrets opens it");
      return true;
    }
    try {
      return await this.revokeAt(client, refreshToken);
    } catch (error) {
      const reason = error instanceof ResponseBodyError ? error.error : String(error);
      this.logger.warn(`A refresh token could not be revoked yet: ${reason}`);
      return error instanceof ResponseBodyError && error.error === 'unsupported_token_type';
    }
  }

  private async revokeAt(client: OneIdClient, refreshToken: string): Promise<boolean> {
    const { issuer, revocation_endpoint } = await client.provider.metadata();
    if (revocation_endpoint === undefined) {
      this.logger.warn(`${issuer} has no revocation_endpoint: a refresh token was erased, but not revoked`);
      return true;
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
    return true;
  }
}

function authentication({ tokenEndpointAuthMethod, clientSecret }: OneIdClient) {
  if (tokenEndpointAuthMethod === 'none' || clientSecret === undefined) return None();
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? ClientSecretPost(clientSecret)
    : ClientSecretBasic(clientSecret);
}
