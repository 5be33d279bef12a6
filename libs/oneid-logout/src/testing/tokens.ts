import { randomUUID } from 'node:crypto';
import { type BrowserLogin } from './browser-logins.js';
import { type Encryption, encryptCompact } from './encrypt-compact.js';
import { type Claims, type HeaderParameters, signCompact, type TokenKey } from './sign-compact.js';

/** The differences from the provider's normal token. */
export interface TokenOverrides {
  /** Claims that replace or join the usual ones; `undefined` leaves a claim out. */
  claims?: Claims;
  /** Header parameters that replace or join the usual ones; `undefined` leaves a parameter out. */
  header?: HeaderParameters;
  /** Signs the token instead of the provider's signing key. */
  key?: TokenKey;
  /** Wraps the signed token in a JWE for this recipient. */
  encryptTo?: Encryption;
}

/** The user of a token. ID tokens get a random UUID for a missing `sub` or `sid`, access tokens for a missing `sub`. */
export interface TokenSubject {
  /** The login whose `sub` and `sid` the token names. */
  login?: Pick<BrowserLogin, 'sub' | 'sid'> & Partial<Pick<BrowserLogin, 'authTime'>>;
  /** The user's id, in place of the login's. */
  sub?: string;
  /** OneID's session id, in place of the login's. */
  sid?: string;
}

/** An ID token to make, for {@link OneIdTestProvider.idToken}. */
export interface IdTokenRequest extends TokenSubject, TokenOverrides {
  /** The client that the token is for: its `aud`. */
  clientId: string;
  /** The `nonce` of the authorization request; none by default. */
  nonce?: string;
}

/** An access token to make, for {@link OneIdTestProvider.accessToken}. */
export interface AccessTokenRequest extends TokenSubject, TokenOverrides {
  /** The client that gets the token: its `client_id`. */
  clientId: string;
  /** Granted scopes, `['openid']` by default. */
  scope?: readonly string[];
  /** Resource servers in `aud`, empty by default. */
  audience?: readonly string[];
}

/** A refresh token to make, for {@link OneIdTestProvider.refreshToken}. */
export interface RefreshTokenRequest {
  /** The client that gets the token. */
  clientId: string;
  /** The login that the token belongs to. */
  login: Pick<BrowserLogin, 'sub' | 'sid' | 'authTime'>;
  /** Granted scopes, `['openid', 'offline']` by default. */
  scope?: readonly string[];
}

/** A logout token to make, for {@link OneIdTestProvider.logoutToken}. */
export interface LogoutTokenRequest extends TokenSubject, TokenOverrides {
  /** The client that the token is for: its `aud`. */
  clientId: string;
  /** `hydra` (default): as OneID makes it; `spec`: as Back-Channel Logout 1.0 §2.4 describes it. */
  shape?: 'hydra' | 'spec';
}

/** The provider's part of every token. */
export interface TokenIssuer {
  /** The exact `iss`. */
  readonly issuer: string;
  /** Signs the token. */
  readonly key: TokenKey;
  /** The time of issue, in seconds since 1970. */
  readonly seconds: number;
}

/** The member of `events` that makes a token a logout token (Back-Channel Logout 1.0 §2.4). */
export const backchannelLogoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

/** Lifetime of ID and access tokens, in seconds. */
export const tokenLifetime = 3600;

/** An ID token with the claims Hydra gives it. */
export function makeIdToken(from: TokenIssuer, { clientId, nonce, ...request }: IdTokenRequest): Promise<string> {
  const authTime = request.login?.authTime ?? from.seconds;
  const claims = {
    iss: from.issuer,
    aud: [clientId],
    sub: request.sub ?? request.login?.sub ?? randomUUID(),
    sid: request.sid ?? request.login?.sid ?? randomUUID(),
    iat: from.seconds,
    exp: from.seconds + tokenLifetime,
    auth_time: authTime,
    rat: authTime,
    jti: randomUUID(),
    nonce,
  };
  return makeToken(from, 'JWT', claims, request);
}

/** A JWT access token like Hydra's. It has no `sid`, unless the request has `sid` or `claims.sid`. */
export function makeAccessToken(from: TokenIssuer, { clientId, ...request }: AccessTokenRequest): Promise<string> {
  const claims = {
    iss: from.issuer,
    aud: request.audience ?? [],
    sub: request.sub ?? request.login?.sub ?? randomUUID(),
    sid: request.sid,
    client_id: clientId,
    scp: request.scope ?? ['openid'],
    ext: {},
    iat: from.seconds,
    nbf: from.seconds,
    exp: from.seconds + tokenLifetime,
    jti: randomUUID(),
  };
  return makeToken(from, 'JWT', claims, request);
}

/** A logout token. Hydra's shape takes only the `sid` of the login; the specification's shape takes `sub` too. */
export function makeLogoutToken(from: TokenIssuer, { clientId, ...request }: LogoutTokenRequest): Promise<string> {
  const hydra = (request.shape ?? 'hydra') === 'hydra';
  const claims = {
    iss: from.issuer,
    aud: hydra ? [clientId] : clientId,
    iat: from.seconds,
    exp: hydra ? undefined : from.seconds + 120,
    jti: randomUUID(),
    sub: request.sub ?? (hydra ? undefined : request.login?.sub),
    sid: request.sid ?? request.login?.sid,
    events: { [backchannelLogoutEvent]: {} },
  };
  return makeToken(from, hydra ? 'JWT' : 'logout+jwt', claims, request);
}

async function makeToken(from: TokenIssuer, typ: string, claims: Claims, overrides: TokenOverrides): Promise<string> {
  const signed = signCompact({ ...claims, ...overrides.claims }, overrides.key ?? from.key, {
    typ,
    ...overrides.header,
  });
  return overrides.encryptTo ? encryptCompact(signed, overrides.encryptTo) : signed;
}
