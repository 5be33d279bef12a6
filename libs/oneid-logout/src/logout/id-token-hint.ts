import { type OneIdClient } from '../provider/oneid-clients.js';
import { openToken } from '../provider/token-decryption.js';
import { isUsableHint } from './end-session-request.js';

/**
 * The `id_token_hint` of a logout (OpenID Connect RP-Initiated Logout 1.0 §2): the ID token of the sign-in, decrypted if
 * it is encrypted (OpenID Connect Core 1.0 §3.1.2.1).
 *
 * If the provider's keys can't be had in time, the token counts as signed by the newest key: nearly every token is, and
 * without a hint each user would have to confirm the logout at the provider.
 *
 * @param issuer the provider's issuer today
 * @param sid the session's, if it has one
 * @returns undefined when the provider would refuse the token. A logout without a hint works at every provider
 */
export async function hintOf(
  idToken: string,
  client: OneIdClient,
  issuer: string,
  sid: string | undefined,
): Promise<string | undefined> {
  const jws = await decrypted(idToken, client);
  if (jws === undefined || !isUsableHint(jws, issuer, client.clientId, sid)) return undefined;
  const signer = (await client.keys.signerOf(jws, client.idTokenSignedResponseAlg)) ?? 'newest';
  const accepted = client.idTokenHint === 'publishedKey' ? ['newest', 'older'] : ['newest'];
  return accepted.includes(signer) ? jws : undefined;
}

/** @returns undefined when the token is encrypted, and no key of the client opens it */
async function decrypted(idToken: string, client: OneIdClient): Promise<string | undefined> {
  if (idToken.split('.').length !== 5) return idToken;
  const opened = await openToken(idToken, [client], () => client.idTokenEncryption).catch(() => 'failed' as const);
  return typeof opened === 'string' ? undefined : opened.jws;
}
