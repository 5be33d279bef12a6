import { importJWK, type JWK } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  modifyAssertion,
  None,
  type PrivateKey,
  PrivateKeyJwt,
  revocationRequest,
} from 'oauth4webapi';
import { type ClientAuthentication } from './client-options.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { type OneIdClient } from './oneid-clients.js';

/** 4xx statuses that a retry may cure, because they do not judge the token: timeout, too early, too many requests. */
const RETRIED = new Set([408, 425, 429]);

/** `refused`: a retry does not help. `unavailable`: try again later. `reason` is for the log and holds no secret. */
export type RevocationAnswer =
  | { readonly result: 'revoked' | 'no_endpoint' }
  | { readonly result: 'refused' | 'unavailable'; readonly reason: string };

/** Asks the client's provider to revoke a refresh token (RFC 7009 §2). Never throws. */
export async function requestRevocation(client: OneIdClient, refreshToken: string): Promise<RevocationAnswer> {
  try {
    const { issuer, revocation_endpoint, token_endpoint } = await client.provider.metadata();
    if (revocation_endpoint === undefined) return { result: 'no_endpoint' };
    const response = await revocationRequest(
      { issuer, revocation_endpoint },
      { client_id: client.clientId },
      await clientAuth(client.clientAuthentication, [issuer, token_endpoint ?? issuer]),
      refreshToken,
      {
        [allowInsecureRequests]: new URL(revocation_endpoint).protocol === 'http:',
        [customFetch]: (url: string, init) =>
          client.provider.fetch(url, { method: init.method, headers: init.headers, body: init.body }),
        additionalParameters: { token_type_hint: 'refresh_token' },
      },
    );
    if (response.ok) return { result: 'revoked' };
    const { status } = response;
    const reason = `${status} ${codeOf(await response.text())}`.trim();
    return { result: status >= 500 || RETRIED.has(status) ? 'unavailable' : 'refused', reason };
  } catch (error) {
    return { result: 'unavailable', reason: reasonOf(error) };
  }
}

/** The `error` of an answer (RFC 6749 §5.2); empty when the answer has no usable one. */
function codeOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === 'string' && /^[\w.-]{1,64}$/.test(error) ? error : '';
  } catch {
    return '';
  }
}

/** @param audience of an assertion: Hydra expects the token endpoint, others the issuer */
async function clientAuth(authentication: ClientAuthentication, audience: readonly string[]): Promise<ClientAuth> {
  switch (authentication.method) {
    case 'none':
      return None();
    case 'client_secret_basic':
      return ClientSecretBasic(authentication.clientSecret);
    case 'client_secret_post':
      return ClientSecretPost(authentication.clientSecret);
    case 'private_key_jwt':
      return PrivateKeyJwt(await signingKey(authentication.privateKey), {
        [modifyAssertion]: (_header, payload) => {
          payload['aud'] = [...new Set(audience)];
        },
      });
  }
}

async function signingKey(jwk: JWK): Promise<PrivateKey> {
  const key = await importJWK(jwk);
  if (key instanceof Uint8Array) throw new TypeError('clientAuthentication.privateKey is a secret, not a private key');
  return { key, ...(jwk.kid !== undefined && { kid: jwk.kid }) };
}
