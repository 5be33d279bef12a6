import assert from 'node:assert/strict';
import { InvalidIdTokenError } from '../../../libs/oneid-logout/src/oneid-logout.errors.js';
import { IdTokenVerifier, type VerifiedIdToken } from '../../../libs/oneid-logout/src/provider/id-token.js';
import { assertShowable, type FuzzTarget } from '../fuzz-target.js';
import { clients, isText, ISSUER, NOW, referenceToken, times, tokenInputs, tokenOf } from '../token-input.js';

/** Seconds. */
const MAX_AGE = 300;

const verifier = new IdTokenVerifier(clients, times);

/** A text that every database stores unchanged. */
const isStorable = (value: unknown): value is string =>
  isText(value) && !value.includes('\0') && Buffer.from(value).toString() === value;

/** The token's claims, if OpenID Connect Core 1.0 §3.1.3.7 accepts it for a sign-in. */
async function reference(token: string): Promise<Partial<VerifiedIdToken> | undefined> {
  const found = await referenceToken(token, MAX_AGE);
  if (found === undefined) return undefined;
  const { header, claims, clientId } = found;
  const { exp, iat, sub, sid, azp, events, session_expiry: expiry } = claims;
  const { typ } = header;
  const accepted =
    (typ === undefined || (typeof typ === 'string' && /^(application\/)?jwt$/i.test(typ))) &&
    events === undefined &&
    typeof exp === 'number' &&
    (azp === undefined || azp === clientId) &&
    isStorable(sub) &&
    (sid === undefined || isStorable(sid)) &&
    (expiry === undefined || (Number.isSafeInteger(expiry) && Number(expiry) >= 0));
  return accepted ? { clientId, iat: Math.floor(Number(iat)), sub, ...(isStorable(sid) && { sid }) } : undefined;
}

/** An ID token at a sign-in. Reference: jose, and the rules of the specification. */
export const idTokenTarget: FuzzTarget = {
  name: 'id-token',
  inputs: tokenInputs(
    { alg: 'HS256', typ: 'JWT' },
    { iss: ISSUER, aud: 'open', iat: NOW, exp: NOW + 3600, sid: 'sid', sub: 'sub', auth_time: NOW - 60 },
  ),
  async check(input) {
    const token = await tokenOf(input);
    const expected = await reference(token);
    try {
      const verified = await verifier.verify(token, {});
      const { clientId, iat, sub, sid, idTokenHash, authTime } = verified;
      assert.deepEqual({ clientId, iat, sub, ...(sid !== undefined && { sid }) }, expected);
      assert.match(idTokenHash, /^[0-9a-f]{64}$/);
      assert.ok(authTime === undefined || (Number.isSafeInteger(authTime) && authTime <= NOW + 31));
      assert.deepEqual(await verifier.verify(token, {}), verified);
      await assert.rejects(verifier.verify(token, { nonce: 'a nonce that no input has' }), InvalidIdTokenError);
    } catch (error) {
      if (!(error instanceof InvalidIdTokenError)) throw error;
      assert.equal(expected, undefined, `refused: ${error.message}`);
      assert.equal(error.getStatus(), 401);
      assertShowable(error.message);
    }
  },
};
