import assert from 'node:assert/strict';
import { InvalidLogoutTokenError } from '../../../libs/oneid-logout/src/oneid-logout.errors.js';
import { LogoutTokenVerifier, type VerifiedLogoutToken } from '../../../libs/oneid-logout/src/provider/logout-token.js';
import { assertShowable, type FuzzTarget } from '../fuzz-target.js';
import { clients, isText, ISSUER, NOW, referenceToken, times, tokenInputs, tokenOf } from '../token-input.js';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Characters. */
const MOST_LENGTH = 16 * 1024;
/** Seconds. */
const MAX_AGE = 600;

const verifier = new LogoutTokenVerifier(clients, times);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTime = (value: unknown): boolean =>
  typeof value === 'number' && value >= 0 && Math.floor(value) <= Number.MAX_SAFE_INTEGER;

/** The token's claims, if Back-Channel Logout 1.0 §2.6 and the rules BC-1 to BC-16 accept it. */
async function reference(token: string): Promise<Partial<VerifiedLogoutToken> | undefined> {
  const found = token.length <= MOST_LENGTH ? await referenceToken(token, MAX_AGE) : undefined;
  if (found === undefined) return undefined;
  const { header, claims, rawClaims, clientId } = found;
  const { iat, exp, jti, sid, sub, events } = claims;
  const { typ } = header;
  const accepted =
    (typ === undefined || (typeof typ === 'string' && /^(application\/)?(logout\+)?jwt$/i.test(typ))) &&
    isTime(iat) &&
    (exp === undefined || isTime(exp)) &&
    isText(jti) &&
    (sid === undefined || isText(sid)) &&
    (sub === undefined || isText(sub)) &&
    (sid !== undefined || sub !== undefined) &&
    isObject(events) &&
    isObject(events[LOGOUT_EVENT]) &&
    !Object.hasOwn(rawClaims, 'nonce');
  if (!accepted) return undefined;
  return { clientId, jti, iat: Math.floor(Number(iat)), sid, sub };
}

/** A logout token. Reference: jose, and the rules of the specification. */
export const logoutTokenTarget: FuzzTarget = {
  name: 'logout-token',
  inputs: tokenInputs(
    { alg: 'HS256', typ: 'logout+jwt' },
    { iss: ISSUER, aud: 'open', iat: NOW, jti: 'jti', sid: 'sid', sub: 'sub', events: { [LOGOUT_EVENT]: {} } },
  ),
  async check(input) {
    const token = await tokenOf(input);
    const expected = await reference(token);
    try {
      const verified = await verifier.verify(token);
      const { clientId, jti, iat, sid, sub } = verified;
      assert.deepEqual({ clientId, jti, iat, sid, sub }, expected);
      assert.deepEqual(verified, { ...expected, issuer: ISSUER, scope: 'session' });
      assert.deepEqual(await verifier.verify(token), verified);
    } catch (error) {
      if (!(error instanceof InvalidLogoutTokenError)) throw error;
      assert.equal(expected, undefined, `refused by ${error.code}`);
      assert.equal(error.getStatus(), 400);
      assertShowable(error.message);
    }
  },
};
