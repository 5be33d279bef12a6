import { createHmac } from 'node:crypto';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { compactDecrypt, CompactEncrypt, compactVerify, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { resolveOptions } from '../../libs/oneid-logout/src/oneid-logout.options.js';
import { OneIdClients } from '../../libs/oneid-logout/src/provider/oneid-clients.js';
import { TokenTimes } from '../../libs/oneid-logout/src/provider/token-times.js';
import { TestClock } from '../support/test-clock.js';
import { firstLine } from './fuzz-target.js';

// the library warns about clocks, which only the tests have
Logger.overrideLogger(false);

export const ISSUER = 'https://oneid.example/';
/** The clock, seconds. */
export const NOW = 1_800_000_000;
/** Seconds. */
const TOLERANCE = 30;

/** Its tokens are plain. */
const OPEN_CLIENT: string = 'open';
/** Its tokens are encrypted. */
const SEALED_CLIENT: string = 'sealed';

const SECRET = 'a client secret of more than 32 bytes';
const secret = new TextEncoder().encode(SECRET);
const encryption = { alg: 'ECDH-ES', enc: 'A128GCM' } as const;
/** The example key of RFC 7517 Appendix A.2. */
const publicKey = {
  ...{ kty: 'EC', crv: 'P-256', kid: 'seal' },
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};
const sealingKey = { ...publicKey, d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE' };

const common = {
  ...{ issuer: ISSUER, postLogoutRedirectUri: 'https://app.example/logout/callback' },
  ...{ idTokenSignedResponseAlg: 'HS256', clientAuthentication: { clientSecret: SECRET } },
  endpoints: { jwks_uri: `${ISSUER}jwks`, end_session_endpoint: `${ISSUER}logout` },
} as const;
const { clients: resolved } = resolveOptions({
  clients: [
    { ...common, clientId: OPEN_CLIENT },
    { ...common, clientId: SEALED_CLIENT, idTokenEncryption: { ...encryption, privateKeys: [sealingKey] } },
  ],
});
const clock = new TestClock(NOW * 1000);

/** Two clients whose tokens are signed by their secret, so that an input needs no slow signature and no key set. */
export const clients = new OneIdClients(resolved, clock);
export const times = new TokenTimes(clock, TOLERANCE, () => Promise.resolve(NOW * 1000));

const base64url = (text: string) => Buffer.from(text).toString('base64url');

/**
 * The token of an input. Two lines that begin with `{`: the header and the claims, which are then signed. The same after
 * a line `sealed`: they are also encrypted. Everything else is the token itself.
 */
export async function tokenOf(input: string): Promise<string> {
  const [first, rest] = firstLine(input);
  if (first === SEALED_CLIENT) {
    return new CompactEncrypt(Buffer.from(await tokenOf(rest))).setProtectedHeader(encryption).encrypt(publicKey);
  }
  if (!first.startsWith('{')) return input;
  const signed = `${base64url(first)}.${base64url(rest)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A token by jose, without the members that are null or empty (P7). */
interface ReferenceToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly rawClaims: Readonly<Record<string, unknown>>;
  readonly clientId: string;
}

/**
 * Judges a token by jose. The rules of one kind of token are left to the caller.
 *
 * @param maxAge seconds from `iat`
 * @returns undefined if jose does not accept the token
 */
export async function referenceToken(token: string, maxAge: number): Promise<ReferenceToken | undefined> {
  try {
    const isSealed = token.split('.').length === 5;
    const jws = isSealed ? await unseal(token) : token;
    if (!/^[\w-]*\.[\w-]*\.[\w-]*$/.test(jws)) return undefined;
    const { payload, protectedHeader: header } = await compactVerify(jws, secret, { algorithms: ['HS256'] });
    const rawClaims = JSON.parse(new TextDecoder().decode(payload)) as ReferenceToken['claims'];
    const claims = Object.fromEntries(Object.entries(rawClaims).filter(([, value]) => value !== null && value !== ''));
    const { aud } = claims;
    const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
    if (!audiences.every((one) => one === OPEN_CLIENT || one === SEALED_CLIENT)) return undefined;
    const named = [OPEN_CLIENT, SEALED_CLIENT].filter((one) => audiences.includes(one));
    const clientId = named.find((one) => one === claims['azp']) ?? named[0];
    if (clientId === undefined || header.crit !== undefined || isSealed !== (clientId === SEALED_CLIENT))
      return undefined;
    // the library ignores claims that are unknown to it, and counts whole seconds of iat
    const { iat, ...rest } = claims;
    const others = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'nbf'));
    const known: JWTPayload = { ...others, ...(typeof iat === 'number' && { iat: Math.floor(iat) }) };
    const again = await new SignJWT(known).setProtectedHeader({ alg: 'HS256' }).sign(secret);
    await jwtVerify(again, secret, {
      ...{ issuer: ISSUER, audience: clientId, maxTokenAge: maxAge, clockTolerance: TOLERANCE },
      ...{ requiredClaims: ['iat'], currentDate: new Date(NOW * 1000) },
    });
    return { header, claims, rawClaims, clientId };
  } catch {
    return undefined;
  }
}

async function unseal(token: string): Promise<string> {
  if (!/^[\w.-]*$/.test(token)) throw new Error('not base64url');
  const { plaintext, protectedHeader } = await compactDecrypt(token, sealingKey, {
    keyManagementAlgorithms: [encryption.alg],
    contentEncryptionAlgorithms: [encryption.enc],
  });
  if (protectedHeader.crit !== undefined) throw new Error('crit');
  return new TextDecoder().decode(plaintext);
}

/** Is this a text that the library takes as a `sid`, a `sub` or a `jti`? */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 255;

const json = fc.jsonValue({ maxDepth: 2 });

/** Inputs of a token target: valid claims with some changes, and texts that look like tokens. */
export function tokenInputs(header: object, claims: object): fc.Arbitrary<string> {
  const changed = (members: object) =>
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string()), fc.oneof(json, fc.constantFrom(...VALUES))), {
        maxLength: 2,
      })
      .map((changes) => JSON.stringify({ ...members, ...Object.fromEntries(changes) }));
  const signed = fc
    .tuple(fc.constantFrom('', '', `${SEALED_CLIENT}\n`), changed(header), changed(claims))
    .map(([how, ...lines]) => how + lines.join('\n'));
  const segment = fc.oneof(fc.base64String({ maxLength: 40 }), fc.constantFrom('', 'e30', 'eyJhbGciOiJIUzI1NiJ9'));
  const segments = fc.array(segment, { maxLength: 6 }).map((parts) => parts.join('.'));
  return fc.oneof({ weight: 3, arbitrary: signed }, segments, fc.string());
}

const NAMES = [
  ...['alg', 'typ', 'kid', 'crit', 'b64', 'zip', 'jwk', 'iss', 'aud', 'azp', 'iat', 'exp', 'nbf', 'jti', 'sid', 'sub'],
  ...['nonce', 'events', 'auth_time', 'session_expiry', '__proto__', 'constructor'],
];
const VALUES: unknown[] = [
  ...[null, '', 'x', [], {}, true, 0, -1, 1e300, 0.5, 'HS256', 'none', 'JWT', 'logout+jwt', 'application/jwt'],
  ...[ISSUER, ISSUER.slice(0, -1), OPEN_CLIENT, SEALED_CLIENT, [OPEN_CLIENT], [OPEN_CLIENT, SEALED_CLIENT], ['x']],
  ...[NOW, NOW - 330, NOW - 331, NOW - 630, NOW - 631, NOW + 30, NOW + 31, NOW - 30, NOW - 31, NOW + 0.5],
];
