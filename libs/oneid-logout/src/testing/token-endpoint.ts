import { authenticateClient } from './client-authentication.js';
import { createHash } from 'node:crypto';
import { type Answer, json, oauthError } from './answer.js';
import { type Code, type Grant } from './grants.js';
import { type ProviderState, tokenIssuer } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';
import { type OneIdTestClient } from './test-client.js';
import { makeAccessToken, makeIdToken, tokenLifetime } from './tokens.js';

type Form = Readonly<Record<string, string>>;

/**
 * Exchanges a code or a refresh token for new tokens.
 *
 * @see {@link https://openid.net/specs/openid-connect-core-1_0.html#TokenEndpoint OpenID Connect Core 1.0 §3.1.3}
 */
export async function exchangeToken(state: ProviderState, request: ReceivedRequest): Promise<Answer> {
  const { form } = request;
  const client = await authenticateClient(state, request);
  if (!client) return oauthError('invalid_client', 'Client authentication failed.', 401);

  if (form.grant_type === 'authorization_code') {
    const code = state.grants.code(form.code ?? '');
    const refusal = refusalOf(code, client, form);
    if (!code || refusal || !state.grants.use(code)) return invalidGrant(refusal ?? 'The code is used or expired.');
    return json(await tokensFor(state, code.grant, code.nonce), 200, noStore);
  }
  if (form.grant_type === 'refresh_token') {
    const ticket = state.grants.refreshToken(form.refresh_token ?? '');
    if (ticket?.grant.clientId !== client.clientId) return invalidGrant('The refresh token is unknown.');
    if (!state.grants.use(ticket)) return invalidGrant('The refresh token is used, revoked or expired.');
    return json(await tokensFor(state, ticket.grant), 200, noStore);
  }
  return oauthError('unsupported_grant_type', "Only 'authorization_code' and 'refresh_token' are supported.");
}

const noStore = { 'Cache-Control': 'no-store' };

const invalidGrant = (description: string): Answer => oauthError('invalid_grant', description);

function refusalOf(code: Code | undefined, client: OneIdTestClient, form: Form): string | undefined {
  if (code?.grant.clientId !== client.clientId) return 'The code is unknown.';
  if (code.redirectUri !== form.redirect_uri) return "The 'redirect_uri' is not the one of the authorization request.";
  const challenge = form.code_verifier === undefined ? undefined : s256(form.code_verifier);
  return code.codeChallenge === challenge ? undefined : "The 'code_verifier' does not fit the 'code_challenge'.";
}

async function tokensFor(state: ProviderState, grant: Grant, nonce?: string) {
  const { clientId, login, scope } = grant;
  const accessToken = await makeAccessToken(tokenIssuer(state), { clientId, login, scope });
  state.grants.addAccessToken(accessToken, grant);
  const isOffline = scope.includes('offline') || scope.includes('offline_access');
  return {
    access_token: accessToken,
    token_type: 'bearer',
    expires_in: tokenLifetime,
    scope: scope.join(' '),
    ...(scope.includes('openid') && { id_token: await idTokenFor(state, grant, accessToken, nonce) }),
    ...(isOffline && { refresh_token: state.grants.addRefreshToken(grant) }),
  };
}

function idTokenFor(state: ProviderState, { clientId, login }: Grant, accessToken: string, nonce?: string) {
  if (login.sid) state.logins.meet(login.sid, clientId);
  const claims = { at_hash: leftHalfHash(accessToken, state.keys.current.alg) };
  return makeIdToken(tokenIssuer(state), { clientId, login, claims, ...(nonce && { nonce }) });
}

/** @see {@link https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken OpenID Connect Core 1.0 §3.1.3.6} */
function leftHalfHash(token: string, alg: string): string {
  const hash = createHash(alg.startsWith('Ed') ? 'sha512' : `sha${alg.slice(-3)}`)
    .update(token)
    .digest();
  return hash.subarray(0, hash.length / 2).toString('base64url');
}

/** @see {@link https://www.rfc-editor.org/rfc/rfc7636#section-4.2 RFC 7636 §4.2} */
const s256 = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');
