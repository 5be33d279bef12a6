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
import { type AssertionAudience, type ClientAuthentication } from './client-options.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { type OneIdClient } from './oneid-clients.js';

/** 4xx statuses that judge neither the token nor the request: timeout, too early, too many requests. */
const PASSING = new Set([408, 425, 429]);

/** The errors that judge the token (RFC 7009 §2.2.1, RFC 6749 §5.2, RFC 6750 §3.1). */
const ABOUT_TOKEN = new Set(['unsupported_token_type', 'invalid_grant', 'invalid_token']);

/** The errors that judge the client (RFC 6749 §5.2). Hydra 1.11 answers `invalid_client` when its database has failed. */
const ABOUT_CLIENT = new Set(['invalid_client', 'unauthorized_client']);

/**
 * - `refused`: the provider has judged the token, so a retry does not help.
 * - `not_accepted`: the answer is about the client, or about the request or its way, as from a proxy. A retry may help.
 * - `unavailable`: try again later.
 *
 * `reason` is for the log and holds no secret.
 */
export type RevocationAnswer =
  | { readonly result: 'revoked' | 'no_endpoint' }
  | { readonly result: 'refused' | 'unavailable'; readonly reason: string }
  | { readonly result: 'not_accepted'; readonly reason: string; readonly isAboutClient: boolean };

/** Asks the client's provider to revoke a refresh token (RFC 7009 §2). Never throws. */
export async function requestRevocation(client: OneIdClient, refreshToken: string): Promise<RevocationAnswer> {
  try {
    const { issuer, revocation_endpoint, token_endpoint } = await client.provider.metadata();
    if (revocation_endpoint === undefined) return { result: 'no_endpoint' };
    const response = await revocationRequest(
      { issuer, revocation_endpoint },
      { client_id: client.clientId },
      await clientAuth(client.clientAuthentication, { issuer, token_endpoint: token_endpoint ?? issuer }),
      refreshToken,
      {
        [allowInsecureRequests]: new URL(revocation_endpoint).protocol === 'http:',
        [customFetch]: (url: string, init) =>
          client.provider.fetch(url, { method: init.method, headers: init.headers, body: init.body }),
        additionalParameters: { token_type_hint: 'refresh_token' },
      },
    );
    if (response.ok) return { result: 'revoked' };
    return judge(response.status, codeOf(await response.text()));
  } catch (error) {
    return { result: 'unavailable', reason: reasonOf(error) };
  }
}

function judge(status: number, code: string): RevocationAnswer {
  const reason = `${status} ${code}`.trim();
  if (status >= 500 || PASSING.has(status)) return { result: 'unavailable', reason };
  if (status === 400 && ABOUT_TOKEN.has(code)) return { result: 'refused', reason };
  return { result: 'not_accepted', reason, isAboutClient: status === 401 || ABOUT_CLIENT.has(code) };
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

/** @param audiences the audience of an assertion, by the client's option */
async function clientAuth(
  authentication: ClientAuthentication,
  audiences: Readonly<Record<AssertionAudience, string>>,
): Promise<ClientAuth> {
  switch (authentication.method) {
    case 'none':
      return None();
    case 'client_secret_basic':
      return ClientSecretBasic(authentication.clientSecret);
    case 'client_secret_post':
      return ClientSecretPost(authentication.clientSecret);
    case 'private_key_jwt':
      return PrivateKeyJwt(await signingKey(authentication.privateKey), {
        [modifyAssertion]: (header, payload) => {
          // one of the two names of Ed25519: the one that the provider knows
          header['alg'] = authentication.privateKey.alg ?? header['alg'];
          // alone: Keycloak refuses several audiences
          payload['aud'] = audiences[authentication.audience];
        },
      });
  }
}

async function signingKey(jwk: JWK): Promise<PrivateKey> {
  const key = await importJWK(jwk);
  if (key instanceof Uint8Array) throw new TypeError('clientAuthentication.privateKey is a secret, not a private key');
  return { key, ...(jwk.kid !== undefined && { kid: jwk.kid }) };
}
