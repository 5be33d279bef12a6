import { randomUUID } from 'node:crypto';
import { decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';

/** Logout tokens with the right claims, made by an attacker instead of OneID. */
export async function forgedTokens(genuine: string, claims: { issuer: string; clientId: string; sid: string }) {
  const payload = {
    iss: claims.issuer,
    aud: [claims.clientId],
    iat: Math.floor(Date.now() / 1000),
    jti: randomUUID(),
    sid: claims.sid,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  };
  const { privateKey } = await generateKeyPair('RS256');
  const header = { ...decodeProtectedHeader(genuine), alg: 'RS256' };
  return {
    unsigned: new UnsecuredJWT(payload).encode(),
    signedByAStranger: await new SignJWT(payload).setProtectedHeader(header).sign(privateKey),
  };
}
