import { Injectable, Logger } from '@nestjs/common';
import { importJWK, type JWK } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  None,
  type PrivateKey,
  PrivateKeyJwt,
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

/** For how long one replica has a logout to itself: milliseconds. */
const LEASE = 60_000;

/** When to try again after a failure: after as long again as has passed since the logout, within these milliseconds. */
const PAUSE = { least: 60_000, most: 6 * 60 * 60 * 1000 };

/** For how long to work on one logout before putting it back, well within that time: milliseconds. */
const TURN = 30_000;

/** 4xx that say nothing about the token: too slow, too early, too many. */
const RETRIED = new Set([408, 425, 429]);

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
    const leasedUntil = logout.now + LEASE;
    if (!(await this.tokens.moveDue(logout.id, logout.dueAt, leasedUntil))) return 'later';
    const outcome = await this.revokeEndedBy(logout, down);
    await this.tokens.moveDue(logout.id, leasedUntil, nextTurn(logout, outcome));
    if (outcome === 'later' && logout.overdue) {
      this.logger.error('Gave up revoking refresh tokens of a logout past its retention');
    }
    return outcome;
  }

  private async revokeEndedBy(logout: DueLogout, down: Set<string>): Promise<Outcome> {
    const until = performance.now() + TURN;
    let failed = false;
    let last = '';
    for (;;) {
      const batch = await this.tokens.findEndedBy(logout.id, last, BATCH);
      for (const tokens of batch) {
        if (this.stopping || performance.now() > until) return failed ? 'later' : 'more';
        if (down.has(tokens.issuer)) return 'later';
        const result = logout.channel === 'frontchannel' ? 'settled' : await this.revoke(tokens);
        if (result === 'provider_down') {
          down.add(tokens.issuer);
          return 'later';
        }
        if (result === 'settled') await this.tokens.erase(tokens);
        else failed = true;
        last = tokens.sessionId;
      }
      if (batch.length < BATCH) return failed ? 'later' : 'done';
    }
  }

  /** @returns `settled` when nothing is left to do for this token, whatever became of it */
  private async revoke(tokens: StoredTokens): Promise<'settled' | 'client_unknown' | 'provider_down'> {
    if (tokens.refreshToken === null) return 'settled';
    const client = this.clients.find(tokens.issuer, tokens.clientId);
    if (client === undefined) {
      this.logger.error(`Can't revoke a refresh token: no client ${tokens.clientId} of ${tokens.issuer} is configured`);
      return 'client_unknown';
    }
    if (client.keepOfflineTokens) return 'settled';
    const refreshToken = await this.vault.open(tokens.sessionId, tokens.refreshToken);
    if (refreshToken === undefined) {
      this.logger.error("Can't revoke a refresh token: none of today's secrets opens it");
      return 'settled';
    }
    try {
      return await this.revokeAt(client, refreshToken);
    } catch (error) {
      this.logger.warn(`A refresh token could not be revoked yet: ${String(error)}`);
      return 'provider_down';
    }
  }

  /** RFC 7009 §2.2: what the provider refuses for a reason of its own it would refuse again. */
  private async revokeAt(client: OneIdClient, refreshToken: string): Promise<'settled' | 'provider_down'> {
    const { issuer, revocation_endpoint } = await client.provider.metadata();
    if (revocation_endpoint === undefined) {
      this.logger.warn(`${issuer} has no revocation_endpoint: a refresh token was erased, but not revoked`);
      return 'settled';
    }
    const response = await revocationRequest(
      { issuer, revocation_endpoint },
      { client_id: client.clientId },
      await authentication(client),
      refreshToken,
      {
        [allowInsecureRequests]: new URL(revocation_endpoint).protocol === 'http:',
        [customFetch]: (url: string, init) =>
          providerFetch(url, { method: init.method, headers: init.headers, body: init.body }),
        additionalParameters: { token_type_hint: 'refresh_token' },
      },
    );
    if (response.ok) return 'settled';
    const { status } = response;
    const reason = await processRevocationResponse(response).catch((error: unknown) => codeOf(error));
    if (status >= 500 || RETRIED.has(status)) {
      this.logger.warn(`A refresh token could not be revoked yet: ${status} ${reason}`);
      return 'provider_down';
    }
    this.logger.error(`${issuer} refused to revoke a refresh token, which was erased here: ${status} ${reason}`);
    return 'settled';
  }
}

/** When to look at a logout again: the database's clock, milliseconds; null for never. */
function nextTurn(logout: DueLogout, outcome: Outcome): number | null {
  if (outcome === 'done' || (outcome === 'later' && logout.overdue)) return null;
  if (outcome === 'more') return logout.dueAt;
  const passed = logout.now - logout.recordedAt;
  return logout.now + Math.min(Math.max(passed, PAUSE.least), PAUSE.most);
}

/** The `error` of the provider's answer (RFC 6749 §5.2), if it gave one. */
function codeOf(error: unknown): string {
  return error instanceof ResponseBodyError ? error.error : '';
}

/** OpenID Connect Core 1.0 §9. */
async function authentication(client: OneIdClient): Promise<ClientAuth> {
  const { tokenEndpointAuthMethod, clientSecret = '', clientAssertionSigningKey: key } = client;
  if (tokenEndpointAuthMethod === 'client_secret_post') return ClientSecretPost(clientSecret);
  if (tokenEndpointAuthMethod === 'client_secret_basic') return ClientSecretBasic(clientSecret);
  return key === undefined ? None() : PrivateKeyJwt(await signingKey(key));
}

async function signingKey(jwk: JWK): Promise<PrivateKey> {
  const key = await importJWK(jwk);
  if (key instanceof Uint8Array) throw new TypeError('clientAssertionSigningKey is a secret, not a private key');
  return { key, ...(jwk.kid !== undefined && { kid: jwk.kid }) };
}
