import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { foreignUrls, hostileUrls } from '../../../test/support/hostile-urls.js';
import { InvalidOptionsError } from './oneid-logout.errors.js';
import { sessionFromClaims, sessionFromCookie } from './guard/session-resolvers.js';
import { type OneIdLogoutOptions, resolveOptions } from './oneid-logout.options.js';
import { type ClientAuthenticationOptions } from './provider/client-options.js';

const client = {
  issuer: 'https://oneid.example/',
  clientId: 'app',
  postLogoutRedirectUri: 'https://app.example/logout/callback',
};
const endpoints = {
  jwks_uri: 'https://oneid.example/jwks',
  end_session_endpoint: 'https://oneid.example/logout',
};

function privateKeyOf(type: 'ec' | 'rsa'): JsonWebKey {
  const pair =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return pair.privateKey.export({ format: 'jwk' });
}

function faultsOf(options: unknown): readonly string[] {
  try {
    resolveOptions(options as OneIdLogoutOptions);
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error.faults;
    throw error;
  }
}

const faultsWith = (options: Record<string, unknown>) => faultsOf({ clients: [client], ...options });
const clientFaultsWith = (options: Record<string, unknown>) => faultsOf({ clients: [{ ...client, ...options }] });

const SECONDS = { minute: 60, year: 366 * 24 * 60 * 60 };

describe('resolveOptions', () => {
  it('accepts maxIdleSeconds from a minute on, also beside verified tokens, and has no default', () => {
    const sessionFrom = [sessionFromClaims(), sessionFromCookie('session')];
    expect(resolveOptions({ clients: [client], sessionFrom, maxIdleSeconds: 60 }).maxIdleSeconds).toBe(60);
    expect(resolveOptions({ clients: [client], sessionFrom }).maxIdleSeconds).toBeUndefined();
  });

  it('fills in the defaults for OneID', () => {
    expect(resolveOptions({ clients: [client] })).toEqual({
      clients: [
        {
          ...client,
          clientAuthentication: { method: 'none' },
          idTokenSignedResponseAlg: 'RS256',
          statePlacement: 'parameter',
          requireLogoutTokenExp: false,
          strictLogoutTokenTyp: false,
          hintlessLogout: false,
          idTokenHint: 'newestKey',
          logoutScope: 'session',
          keepOfflineTokens: false,
          trustedAudiences: [],
          authorizedParties: [],
          iatBackdatingSeconds: 0,
          allowInsecureRequests: false,
          reusesSid: false,
        },
      ],
      database: { type: 'better-sqlite3', database: 'oneid-logout.sqlite' },
      maxConnectionStalenessMs: 10_000,
      connectAttempts: 10,
      runMigrations: true,
      sessionFrom: [],
      secrets: [],
      maxSessionLifetimeSeconds: 30 * 24 * 60 * 60,
      clockToleranceSeconds: 30,
      liveness: 'strict',
      returnUrls: ['/'],
      clearCookies: [],
      clearSiteData: [],
      frontchannelEndsCarriedSession: false,
    });
  });

  it('treats undefined as not given', () => {
    const options = resolveOptions({ clients: [client] });
    const names = Object.keys(options).filter((name) => name !== 'clients');
    const clientNames = Object.keys(options.clients[0] ?? {}).filter((name) => !(name in client));
    expect(names.length + clientNames.length).toBeGreaterThan(15);
    const blank = (of: readonly string[]) => Object.fromEntries(of.map((name) => [name, undefined]));
    expect(
      resolveOptions({
        ...blank(names),
        clients: [{ ...blank([...clientNames, 'idTokenEncryption', 'endpoints']), ...client }],
      }),
    ).toEqual(options);
  });

  it('does not change the given options, and shares no defaults between registrations', () => {
    const given = Object.freeze({ clients: Object.freeze([Object.freeze({ ...client })]) });
    const one = resolveOptions(given);
    const two = resolveOptions(given);
    expect(one.database).not.toBe(two.database);
    expect(one.returnUrls).not.toBe(two.returnUrls);
    expect(given).toEqual({ clients: [client] });
  });

  it('gives the authentication of a client its method', () => {
    const resolved = (clientAuthentication: ClientAuthenticationOptions | undefined) =>
      resolveOptions({ clients: [{ ...client, clientAuthentication }] }).clients[0]?.clientAuthentication;
    const clientSecret = 'secret';
    expect(resolved(undefined)).toEqual({ method: 'none' });
    expect(resolved({ clientSecret })).toEqual({ method: 'client_secret_basic', clientSecret });
    for (const method of ['client_secret_basic', 'client_secret_post'] as const) {
      expect(resolved({ clientSecret, method })).toEqual({ method, clientSecret });
    }
    const privateKey = { ...privateKeyOf('ec'), alg: 'ES256' };
    const byKey = { method: 'private_key_jwt', privateKey, audience: 'token_endpoint' };
    expect(resolved({ privateKey })).toEqual(byKey);
    expect(resolved({ privateKey, audience: 'issuer' })).toEqual({ ...byKey, audience: 'issuer' });
    const blank = { clientSecret: undefined, method: undefined };
    expect(resolved({ privateKey, ...blank })).toEqual(byKey);
    expect(resolved({ clientSecret, method: undefined, privateKey: undefined })).toEqual({
      method: 'client_secret_basic',
      clientSecret,
    });
  });

  it('has types that refuse an authentication which is no secret and no private key, or both', () => {
    const privateKey = { ...privateKeyOf('ec'), alg: 'ES256' };
    const refused: ClientAuthenticationOptions[] = [
      // @ts-expect-error two credentials
      { clientSecret: 'secret', privateKey },
      // @ts-expect-error a method of a secret
      { privateKey, method: 'client_secret_post' },
      // @ts-expect-error no credential
      { method: 'client_secret_post' },
      // @ts-expect-error no credential
      {},
      // @ts-expect-error a secret that may be missing, such as an environment variable
      { clientSecret: process.env['NO_SUCH_SECRET'] },
    ];
    const faults = [
      'clients[0].clientAuthentication must be either { clientSecret, method? } or { privateKey, audience? }',
    ];
    for (const clientAuthentication of refused) expect(clientFaultsWith({ clientAuthentication })).toEqual(faults);
  });

  it('fills in the enc of an encryption', () => {
    const encryption = { alg: 'ECDH-ES', privateKeys: [privateKeyOf('ec')] };
    const [resolved] = resolveOptions({ clients: [{ ...client, idTokenEncryption: encryption }] }).clients;
    expect(resolved?.idTokenEncryption).toEqual({ ...encryption, enc: 'A128CBC-HS256' });
  });

  it('fills in the defaults of liveness', () => {
    expect(resolveOptions({ clients: [client], liveness: { maxStalenessMs: 500 } }).liveness).toEqual({
      maxStalenessMs: 500,
      maxSessions: 100_000,
      answerAtOnce: false,
      allowDuringOutageMs: 0,
    });
  });

  it.each([
    ['lax', ["liveness must be 'strict', or an object with maxStalenessMs"]],
    [null, ["liveness must be 'strict', or an object with maxStalenessMs"]],
    [[], ["liveness must be 'strict', or an object with maxStalenessMs"]],
    [
      {},
      [
        'liveness.maxStalenessMs must not be greater than 60000',
        'liveness.maxStalenessMs must not be less than 50',
        'liveness.maxStalenessMs must be an integer number',
      ],
    ],
    [{ maxStalenessMs: 49 }, ['liveness.maxStalenessMs must not be less than 50']],
    [{ maxStalenessMs: 60_001 }, ['liveness.maxStalenessMs must not be greater than 60000']],
    [{ maxStalenessMs: 500, maxSessions: 0 }, ['liveness.maxSessions must not be less than 1']],
    [{ maxStalenessMs: 500, answerAtOnce: 'yes' }, ['liveness.answerAtOnce must be a boolean value']],
    [{ maxStalenessMs: 500, allowDuringOutageMs: -1 }, ['liveness.allowDuringOutageMs must not be less than 0']],
    [{ maxStalenessMs: 500, nudges: 'redis' }, ['liveness.nudges is not an option']],
  ])('refuses the liveness %j', (liveness, faults) => {
    expect(faultsOf({ clients: [client], liveness })).toEqual(faults);
  });

  it('accepts one session resolver or several', () => {
    const resolver = () => undefined;
    expect(resolveOptions({ clients: [client], sessionFrom: resolver }).sessionFrom).toEqual([resolver]);
    expect(resolveOptions({ clients: [client], sessionFrom: [resolver, resolver] }).sessionFrom).toHaveLength(2);
  });

  it('accepts every option of a client', () => {
    const full = {
      ...client,
      clientAuthentication: { privateKey: { ...privateKeyOf('ec'), alg: 'ES256' }, audience: 'issuer' },
      endpoints: {
        ...endpoints,
        revocation_endpoint: 'http://127.0.0.1:4444/revoke?x=1',
        token_endpoint: 'http://127.0.0.1:4444/token',
      },
      idTokenSignedResponseAlg: 'EdDSA',
      idTokenEncryption: { alg: 'ECDH-ES', enc: 'A256GCM', privateKeys: [privateKeyOf('ec')] },
      statePlacement: 'both',
      requireLogoutTokenExp: true,
      strictLogoutTokenTyp: true,
      hintlessLogout: true,
      idTokenHint: 'publishedKey',
      logoutScope: 'user',
      keepOfflineTokens: true,
      logoutTokenEncryption: { alg: 'RSA-OAEP', enc: 'A256GCM', privateKeys: [privateKeyOf('ec')] },
      trustedAudiences: ['project'],
      authorizedParties: ['android'],
      iatBackdatingSeconds: 300,
      allowInsecureRequests: true,
      reusesSid: true,
    } as const;
    const [resolved] = resolveOptions({ clients: [full] }).clients;
    expect(JSON.parse(JSON.stringify(resolved))).toEqual({
      ...full,
      clientAuthentication: { method: 'private_key_jwt', ...full.clientAuthentication },
    });
    expect(Object.keys(full).sort()).toEqual(Object.keys(resolved ?? {}).sort());
  });
});

describe('a fault', () => {
  const providerUrl =
    'must be an https URL without query, fragment or userinfo (http only on loopback, or with allowInsecureRequests)';
  const endpoint =
    'must be an https URL without fragment or userinfo (http only on loopback, or with allowInsecureRequests)';
  const withoutTls = (name: string, url: string) =>
    `clients[0].${name} is ${url}, but must be an https URL (http only on loopback). If you trust this network, set allowInsecureRequests of this client`;
  const redirectUri = 'must be an http(s) URL without fragment or userinfo';
  const authentication = 'clients[0].clientAuthentication';
  const either = 'must be either { clientSecret, method? } or { privateKey, audience? }';
  const method = 'method must be one of the following values: client_secret_basic, client_secret_post';
  const signingKey =
    'privateKey must be a complete private JWK whose alg is one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519';
  const returnUrl = 'must be an absolute path ("/goodbye") or an http(s) URL in its normal form';
  const clearable = 'must be one of the following values: cache, cookies, storage';
  const cookie = 'must be a cookie: name, path, domain, secure, httpOnly, sameSite, partitioned';
  const database = 'must be TypeORM options whose type is one of postgres, mysql, mariadb, better-sqlite3';
  const resolvers = 'must be a session resolver, or a list of them';

  it.each([null, 'x', 1, [], () => undefined])('is found in options that are %p', (options) => {
    expect(faultsOf(options)).toEqual(['the options must be an object']);
  });

  it.each<[Record<string, unknown>, string[]]>([
    [{ runMigrations: 'yes' }, ['runMigrations must be a boolean value']],
    [{ runMigrations: null }, ['runMigrations must be a boolean value']],
    [{ connectAttempts: 0 }, ['connectAttempts must not be less than 1']],
    [{ connectAttempts: 1_001 }, ['connectAttempts must not be greater than 1000']],
    [{ database: null }, [`database ${database}`]],
    [{ database: { type: 'sqlite' } }, [`database ${database}`]],
    [{ database: { type: 'toString' } }, [`database ${database}`]],
    [{ database: { type: ['postgres'] } }, [`database ${database}`]],
    [{ sessionFrom: 'session' }, [`sessionFrom ${resolvers}`]],
    [{ sessionFrom: [() => undefined, 'session'] }, [`sessionFrom ${resolvers}`]],
    [{ sessionFrom: null }, [`sessionFrom ${resolvers}`]],
    [{ secrets: ['short'] }, ['each value in secrets must be longer than or equal to 32 characters']],
    [
      { secrets: [7] },
      ['each value in secrets must be longer than or equal to 32 characters', 'each value in secrets must be a string'],
    ],
    [{ maxSessionLifetimeSeconds: 59 }, ['maxSessionLifetimeSeconds must not be less than 60']],
    [
      { maxSessionLifetimeSeconds: SECONDS.year + 1 },
      [`maxSessionLifetimeSeconds must not be greater than ${SECONDS.year}`],
    ],
    [{ maxSessionLifetimeSeconds: 60.5 }, ['maxSessionLifetimeSeconds must be an integer number']],
    [{ maxSessionsPerUser: 0 }, ['maxSessionsPerUser must not be less than 1']],
    [{ maxSessionsPerUser: 1_001 }, ['maxSessionsPerUser must not be greater than 1000']],
    [{ maxSessionsPerUser: 1.5 }, ['maxSessionsPerUser must be an integer number']],
    [
      { maxSessionsPerUser: null },
      [
        'maxSessionsPerUser must not be greater than 1000',
        'maxSessionsPerUser must not be less than 1',
        'maxSessionsPerUser must be an integer number',
      ],
    ],
    [{ reconfirmAfterOutageSeconds: 4 }, ['reconfirmAfterOutageSeconds must not be less than 5']],
    [{ reconfirmAfterOutageSeconds: 86_401 }, ['reconfirmAfterOutageSeconds must not be greater than 86400']],
    [{ reconfirmAfterOutageSeconds: 30.5 }, ['reconfirmAfterOutageSeconds must be an integer number']],
    [{ maxIdleSeconds: 59 }, ['maxIdleSeconds must not be less than 60']],
    [{ maxIdleSeconds: 60.5 }, ['maxIdleSeconds must be an integer number']],
    [
      { maxIdleSeconds: 3600, maxSessionLifetimeSeconds: 3600 },
      ['maxIdleSeconds must be less than maxSessionLifetimeSeconds, otherwise it has no effect'],
    ],
    [
      { maxIdleSeconds: 3600, sessionFrom: [sessionFromClaims()] },
      ['maxIdleSeconds needs registered sessions, and sessionFrom finds only verified tokens (sessionFromClaims)'],
    ],
    [{ clockToleranceSeconds: -1 }, ['clockToleranceSeconds must not be less than 0']],
    [{ clockToleranceSeconds: 301 }, ['clockToleranceSeconds must not be greater than 300']],
    [{ returnUrls: ['//evil.example'] }, [`each value in returnUrls ${returnUrl}`]],
    [{ returnUrls: ['/ok', 'nok'] }, [`each value in returnUrls ${returnUrl}`]],
    [{ returnUrls: [null] }, [`each value in returnUrls ${returnUrl}`]],
    [{ returnUrls: [] }, ['returnUrls should not be empty']],
    [{ returnUrls: '/goodbye' }, ['returnUrls should not be empty', 'returnUrls must be an array']],
    [{ clearCookies: [{}] }, [`each value in clearCookies ${cookie}`]],
    [{ clearCookies: ['session'] }, [`each value in clearCookies ${cookie}`]],
    [{ clearCookies: [{ name: 'a b' }] }, [`each value in clearCookies ${cookie}`]],
    [{ clearCookies: [{ name: 'a', path: '/;x' }] }, [`each value in clearCookies ${cookie}`]],
    [{ clearCookies: [{ name: 'a', sameSite: 'maybe' }] }, [`each value in clearCookies ${cookie}`]],
    [{ clearCookies: [{ name: 'a', samesite: 'lax' }] }, [`each value in clearCookies ${cookie}`]],
    [{ clearSiteData: ['*'] }, [`each value in clearSiteData ${clearable}`]],
    [{ clearSiteData: ['cache', '"cache"'] }, [`each value in clearSiteData ${clearable}`]],
    [{ clearSiteData: ['executionContexts'] }, [`each value in clearSiteData ${clearable}`]],
    [{ clearSiteData: 'cache' }, ['clearSiteData must be an array']],
    [{ clearSiteData: null }, [`each value in clearSiteData ${clearable}`, 'clearSiteData must be an array']],
    [{ frontchannelEndsCarriedSession: 1 }, ['frontchannelEndsCarriedSession must be a boolean value']],
    [{ fetch: 'http://proxy.example' }, ['fetch must be a function like the global fetch']],
    [{ fetch: null }, ['fetch must be a function like the global fetch']],
    [{ client: [client] }, ['client is not an option']],
    [{ p: 1 }, ['p is not an option']],
    [{ clients: [] }, ['clients should not be empty']],
    [{ clients: [null] }, ['clients[0] must be an object']],
    [{ clients: ['app'] }, ['clients[0] must be an object']],
    [{ clients: [[]] }, ['clients[0] must be an object']],
    [{ clients: [[client]] }, ['clients[0] must be an object']],
  ])('is found in %j', (options, expected) => {
    expect(faultsWith(options)).toEqual(expected);
  });

  it.each<[Record<string, unknown>, string[]]>([
    [{ issuer: 'http://oneid.example/' }, [withoutTls('issuer', 'http://oneid.example/')]],
    [{ issuer: 'ftp://oneid.example/' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: 'https://oneid.example/?x' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: 'https://oneid.example/?' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: 'https://oneid.example/#' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: 'https://user@oneid.example/' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: 'https:oneid.example' }, [`clients[0].issuer ${providerUrl}`]],
    [{ issuer: ' https://oneid.example' }, [`clients[0].issuer ${providerUrl}`]],
    [
      { issuer: `https://${'a'.repeat(250)}.example/` },
      ['clients[0].issuer must be shorter than or equal to 254 characters'],
    ],
    [{ clientId: '' }, ['clients[0].clientId should not be empty']],
    [{ clientSecret: 'secret' }, ['clients[0].clientSecret is not an option']],
    [{ clientAuthentication: null }, [`${authentication} must be an object`]],
    [{ clientAuthentication: 'secret' }, [`${authentication} must be an object`]],
    [{ clientAuthentication: [] }, [`${authentication} must be an object`]],
    [{ clientAuthentication: [{ clientSecret: 'secret' }] }, [`${authentication} must be an object`]],
    [{ clientAuthentication: () => 'secret' }, [`${authentication} must be an object`]],
    [{ clientAuthentication: {} }, [`${authentication} ${either}`]],
    [{ clientAuthentication: { clientSecret: undefined } }, [`${authentication} ${either}`]],
    [{ clientAuthentication: { method: 'client_secret_basic' } }, [`${authentication} ${either}`]],
    [{ clientAuthentication: { method: 'client_secret_post' } }, [`${authentication} ${either}`]],
    [
      { clientAuthentication: { secret: 'secret' } },
      [`${authentication} ${either}`, `${authentication}.secret is not an option`],
    ],
    [{ clientAuthentication: { clientSecret: 's', secret: 's' } }, [`${authentication}.secret is not an option`]],
    [{ clientAuthentication: { clientSecret: '' } }, [`${authentication}.clientSecret should not be empty`]],
    [
      { clientAuthentication: { clientSecret: null } },
      [`${authentication}.clientSecret should not be empty`, `${authentication}.clientSecret must be a string`],
    ],
    [{ clientAuthentication: { clientSecret: 's', method: 'client_secret_jwt' } }, [`${authentication}.${method}`]],
    [{ clientAuthentication: { clientSecret: 's', method: 'none' } }, [`${authentication}.${method}`]],
    [{ clientAuthentication: { clientSecret: 's', method: null } }, [`${authentication}.${method}`]],
    [
      { clientAuthentication: { method: 'private_key_jwt' } },
      [`${authentication} ${either}`, `${authentication}.${method}`],
    ],
    [{ clientAuthentication: { privateKey: null } }, [`${authentication}.${signingKey}`]],
    [{ clientAuthentication: { privateKey: 'pem' } }, [`${authentication}.${signingKey}`]],
    [
      { clientAuthentication: { clientSecret: '', privateKey: {} } },
      [
        `${authentication} ${either}`,
        `${authentication}.clientSecret should not be empty`,
        `${authentication}.${signingKey}`,
      ],
    ],
    [{ postLogoutRedirectUri: '/logout/callback' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https://app.example/cb#x' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https://app.example/cb#' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https://a@app.example/cb' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https:/app.example/cb' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https:///app.example/cb' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'https://app.example/c b' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ postLogoutRedirectUri: 'javascript:alert(1)' }, [`clients[0].postLogoutRedirectUri ${redirectUri}`]],
    [{ endpoints: null }, ['clients[0].endpoints must be an object']],
    [{ endpoints: 'https://oneid.example' }, ['clients[0].endpoints must be an object']],
    [{ endpoints: [] }, ['clients[0].endpoints must be an object']],
    [{ endpoints: [endpoints] }, ['clients[0].endpoints must be an object']],
    [{ endpoints: {} }, [`clients[0].endpoints.jwks_uri ${endpoint}`]],
    [
      { endpoints: { ...endpoints, revocation_endpoint: 'http://oneid.example' } },
      [withoutTls('endpoints.revocation_endpoint', 'http://oneid.example/')],
    ],
    [{ endpoints: { ...endpoints, issuer: 'x' } }, ['clients[0].endpoints.issuer is not an option']],
    [
      { statePlacement: 'cookie' },
      ['clients[0].statePlacement must be one of the following values: parameter, redirectUri, both'],
    ],
    [{ requireLogoutTokenExp: 1 }, ['clients[0].requireLogoutTokenExp must be a boolean value']],
    [{ strictLogoutTokenTyp: 1 }, ['clients[0].strictLogoutTokenTyp must be a boolean value']],
    [
      { endpoints: { ...endpoints, end_session_endpoint: null } },
      [`clients[0].endpoints.end_session_endpoint ${endpoint}`],
    ],
    [{ hintlessLogout: 'yes' }, ['clients[0].hintlessLogout must be a boolean value']],
    [{ idTokenHint: 'any' }, ['clients[0].idTokenHint must be one of the following values: newestKey, publishedKey']],
    [{ logoutScope: 'all' }, ['clients[0].logoutScope must be one of the following values: session, user']],
    [{ keepOfflineTokens: 1 }, ['clients[0].keepOfflineTokens must be a boolean value']],
    [{ trustedAudiences: 'project' }, ['clients[0].trustedAudiences must be an array']],
    [{ trustedAudiences: [''] }, ['each value in clients[0].trustedAudiences must be a text that is not empty']],
    [{ authorizedParties: [7] }, ['each value in clients[0].authorizedParties must be a text that is not empty']],
    [{ iatBackdatingSeconds: -1 }, ['clients[0].iatBackdatingSeconds must not be less than 0']],
    [{ iatBackdatingSeconds: 601 }, ['clients[0].iatBackdatingSeconds must not be greater than 600']],
    [{ iatBackdatingSeconds: 0.5 }, ['clients[0].iatBackdatingSeconds must be an integer number']],
    [{ allowInsecureRequests: 'yes' }, ['clients[0].allowInsecureRequests must be a boolean value']],
    [{ redirectUri: 'x' }, ['clients[0].redirectUri is not an option']],
  ])('is found in a client with %j', (options, expected) => {
    expect(clientFaultsWith(options)).toEqual(expected);
  });

  it.each(['none', 'RS1', '', null])('is found in the algorithm %p', (idTokenSignedResponseAlg) => {
    expect(clientFaultsWith({ idTokenSignedResponseAlg })).toHaveLength(1);
  });

  it.each([
    ['HS256', 31, 32],
    ['HS384', 47, 48],
    ['HS512', 63, 64],
  ])('is found in a secret that is too short for %s', (idTokenSignedResponseAlg, short, enough) => {
    const faultsBySecret = (length: number) =>
      clientFaultsWith({ idTokenSignedResponseAlg, clientAuthentication: { clientSecret: 'x'.repeat(length) } });
    const fault = `${authentication}.clientSecret must have at least ${enough} bytes, because idTokenSignedResponseAlg is ${idTokenSignedResponseAlg}`;
    expect(faultsBySecret(short)).toEqual([fault]);
    expect(faultsBySecret(enough)).toEqual([]);
    expect(clientFaultsWith({ idTokenSignedResponseAlg })).toEqual([fault]);
    const privateKey = { ...privateKeyOf('ec'), alg: 'ES256' };
    expect(clientFaultsWith({ idTokenSignedResponseAlg, clientAuthentication: { privateKey } })).toEqual([fault]);
  });

  it('is found in a private key that can not sign an assertion with its alg', () => {
    const key = { ...privateKeyOf('ec'), alg: 'ES256' };
    const faultsOfKey = (privateKey: unknown) => clientFaultsWith({ clientAuthentication: { privateKey } });

    expect(faultsOfKey(key)).toEqual([]);
    for (const unfit of [
      { ...key, alg: undefined },
      { ...key, alg: 'RS256' },
      { ...key, alg: 'ES384' },
      { ...key, d: undefined },
      { kty: 'oct', k: 'k', alg: 'HS256' },
    ]) {
      expect(faultsOfKey(unfit)).toEqual([`${authentication}.${signingKey}`]);
    }
  });

  it('is found in endpoints without token_endpoint, when the client has a private key', () => {
    const clientAuthentication = { privateKey: { ...privateKeyOf('ec'), alg: 'ES256' } };
    const token_endpoint = 'https://oneid.example/token';

    expect(clientFaultsWith({ clientAuthentication, endpoints })).toEqual([
      'clients[0].endpoints.token_endpoint must be given, because clientAuthentication has a privateKey and its audience is token_endpoint',
    ]);
    expect(clientFaultsWith({ clientAuthentication, endpoints: { ...endpoints, token_endpoint } })).toEqual([]);
    expect(clientFaultsWith({ clientAuthentication: { clientSecret: 'secret' }, endpoints })).toEqual([]);
    const forIssuer = { ...clientAuthentication, audience: 'issuer' };
    expect(clientFaultsWith({ clientAuthentication: forIssuer, endpoints })).toEqual([]);
  });

  it('P28: is found in an audience of an unknown kind, or of a client without a private key', () => {
    const privateKey = { ...privateKeyOf('ec'), alg: 'ES256' };
    const audience = 'audience must be one of the following values: token_endpoint, issuer';
    for (const wrong of ['token', null, ['issuer'], '']) {
      expect(clientFaultsWith({ clientAuthentication: { privateKey, audience: wrong } })).toEqual([
        `${authentication}.${audience}`,
      ]);
    }
    expect(clientFaultsWith({ clientAuthentication: { clientSecret: 'secret', audience: 'issuer' } })).toEqual([
      `${authentication} ${either}`,
    ]);
  });

  it('is found in an encryption without algorithm or without valid private keys', () => {
    const key = privateKeyOf('ec');
    const faultsOfEncryption = (idTokenEncryption: unknown) => clientFaultsWith({ idTokenEncryption });
    const path = 'clients[0].idTokenEncryption';
    const noKeys = `${path}.privateKeys must be a list of one or more complete private JWKs (RSA, EC or OKP)`;
    const noAlg = `${path}.alg must be one of the following values: RSA-OAEP, RSA-OAEP-256, RSA-OAEP-384, RSA-OAEP-512, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW`;
    const noEnc = `${path}.enc must be one of the following values: A128CBC-HS256, A192CBC-HS384, A256CBC-HS512, A128GCM, A192GCM, A256GCM`;

    expect(faultsOfEncryption({ alg: 'ECDH-ES', privateKeys: [key] })).toEqual([]);
    const withoutPrime = { ...privateKeyOf('rsa'), p: undefined };
    const offCurve = { ...key, x: key.y };
    for (const other of ['key', {}, { ...key, d: undefined }, { kty: 'oct', k: 'k', d: 'd' }, withoutPrime, offCurve]) {
      expect(faultsOfEncryption({ alg: 'ECDH-ES', privateKeys: [key, other] })).toEqual([noKeys]);
    }
    for (const privateKeys of [undefined, null, [], key, 'key']) {
      expect(faultsOfEncryption({ alg: 'ECDH-ES', privateKeys })).toEqual([noKeys]);
    }
    for (const alg of [undefined, null, 'dir', 'PBES2-HS256+A128KW', 'RSA1_5', 'A128KW']) {
      expect(faultsOfEncryption({ alg, privateKeys: [key] })).toEqual([noAlg]);
    }
    for (const enc of [null, '', 'none', 'A128KW']) {
      expect(faultsOfEncryption({ alg: 'ECDH-ES', enc, privateKeys: [key] })).toEqual([noEnc]);
    }
    expect(faultsOfEncryption({})).toEqual([noAlg, noKeys]);
    expect(faultsOfEncryption({ alg: 'ECDH-ES', privateKeys: [key], keys: [key] })).toEqual([
      `${path}.keys is not an option`,
    ]);
    for (const noObject of [null, 'ECDH-ES', [], [{ alg: 'ECDH-ES', privateKeys: [key] }], () => undefined]) {
      expect(faultsOfEncryption(noObject)).toEqual([`${path} must be an object`]);
    }
  });

  it.each([
    'https://oneid.example',
    'https://oneid.example/tenant/',
    'http://127.0.0.1:4444/',
    'http://localhost:4444',
    'http://[::1]:4444/',
  ])('is not found in the issuer %s', (issuer) => {
    expect(clientFaultsWith({ issuer })).toEqual([]);
  });

  it.each([
    'http://127.0.0.2:8080/',
    'http://127.255.255.254',
    'http://dex.localhost/',
    'http://a.b.localhost:5556/dex',
  ])('P10: is not found in the issuer %s, which is loopback', (issuer) => {
    expect(clientFaultsWith({ issuer })).toEqual([]);
  });

  it.each([
    'http://127.0.0.1.evil.example/',
    'http://127.evil.example/',
    'http://localhost.evil.example/',
    'http://evillocalhost/',
    'http://128.0.0.1/',
    'http://0.0.0.0/',
    'http://host.docker.internal/',
    'http://keycloak:8080/realms/x',
  ])('P10: is found in the issuer %s, unless the client allows it', (issuer) => {
    expect(clientFaultsWith({ issuer })).toEqual([withoutTls('issuer', issuer)]);
    expect(clientFaultsWith({ issuer, allowInsecureRequests: true })).toEqual([]);
    const url = 'http://keycloak:8080/jwks';
    const given = { ...endpoints, jwks_uri: `${url}?x=1` };
    expect(clientFaultsWith({ endpoints: given })).toEqual([withoutTls('endpoints.jwks_uri', url)]);
    expect(clientFaultsWith({ endpoints: given, allowInsecureRequests: true })).toEqual([]);
  });

  it('P10: is found in one provider that is insecure for one of its clients only', () => {
    const other = { ...client, clientId: 'other', allowInsecureRequests: true };
    expect(faultsOf({ clients: [client, other] })).toEqual([
      'clients[1] has the same provider as an earlier client, but another issuer, other endpoints or another allowInsecureRequests',
    ]);
    expect(faultsOf({ clients: [{ ...client, allowInsecureRequests: true }, other] })).toEqual([]);
  });

  it('P10: allowInsecureRequests opens no other kind of URL', () => {
    for (const issuer of ['ftp://keycloak/', 'file:///etc', 'keycloak:8080', 'http://user@keycloak/']) {
      expect(clientFaultsWith({ issuer, allowInsecureRequests: true })).toEqual([`clients[0].issuer ${providerUrl}`]);
    }
  });

  it('P16: is found in an issuer that is a template', () => {
    expect(clientFaultsWith({ issuer: 'https://login.example/{tenantid}/v2.0' })).toEqual([
      "clients[0].issuer is https://login.example/{tenantid}/v2.0, a template. Configure one client for each tenant, with the tenant's own issuer",
    ]);
  });

  it('P30: logout tokens are encrypted as ID tokens, unless logoutTokenEncryption says otherwise', () => {
    const ofId = { alg: 'ECDH-ES', enc: 'A256GCM', privateKeys: [privateKeyOf('ec')] };
    const own = { alg: 'RSA-OAEP', privateKeys: [privateKeyOf('rsa')] };
    const resolved = (options: Partial<OneIdLogoutOptions['clients'][number]>) => {
      const [{ idTokenEncryption, logoutTokenEncryption } = { idTokenEncryption: undefined }] = resolveOptions({
        clients: [{ ...client, ...options }],
      }).clients;
      return [idTokenEncryption, logoutTokenEncryption];
    };

    expect(resolved({})).toEqual([undefined, undefined]);
    expect(resolved({ idTokenEncryption: ofId })).toEqual([ofId, ofId]);
    expect(resolved({ idTokenEncryption: ofId, logoutTokenEncryption: 'none' })).toEqual([ofId, undefined]);
    const ownInFull = { ...own, enc: 'A128CBC-HS256' };
    expect(resolved({ idTokenEncryption: ofId, logoutTokenEncryption: own })).toEqual([ofId, ownInFull]);
    expect(resolved({ logoutTokenEncryption: own })).toEqual([undefined, ownInFull]);
    for (const wrong of [null, 'all', '', [own], () => 'none']) {
      expect(clientFaultsWith({ logoutTokenEncryption: wrong })).toEqual([
        "clients[0].logoutTokenEncryption must be 'none', or an object with alg and privateKeys",
      ]);
    }
    expect(clientFaultsWith({ logoutTokenEncryption: { ...own, privateKeys: [] } })).toEqual([
      'clients[0].logoutTokenEncryption.privateKeys must be a list of one or more complete private JWKs (RSA, EC or OKP)',
    ]);
  });

  it('RPI-5: is found in every hostile return URL', () => {
    const taken = hostileUrls.filter((url) => faultsWith({ returnUrls: [url] }).length === 0);
    expect(taken).toEqual([]);
    expect(faultsWith({ returnUrls: foreignUrls })).toEqual([]);
  });

  it('is reported with all other faults in one message, without a secret', () => {
    const secret = 'a secret that must never be seen';
    const options = {
      clients: [
        {
          ...client,
          clientAuthentication: { clientSecret: ['s3cret'] },
          issuer: `http://${secret.replaceAll(' ', '-')}@oneid.example`,
        },
        { clientId: 7, surprise: secret },
      ],
      secrets: [secret.slice(1), 7],
      surprise: secret,
      returnUrls: [`//${secret}`],
      database: `postgres://postgres:${secret}@db/app`,
    };
    const error = new InvalidOptionsError(faultsOf(options));
    expect(() => resolveOptions(options as unknown as OneIdLogoutOptions)).toThrow(error.message);
    expect(error.code).toBe('options_invalid');
    expect(error.message).toBe(
      `OneIdLogoutModule: invalid options
  - surprise is not an option
  - clients[0].issuer ${providerUrl}
  - clients[0].clientAuthentication.clientSecret must be a string
  - clients[1].surprise is not an option
  - clients[1].issuer must be shorter than or equal to 254 characters
  - clients[1].issuer ${providerUrl}
  - clients[1].clientId must be shorter than or equal to 255 characters
  - clients[1].clientId must be a string
  - clients[1].postLogoutRedirectUri ${redirectUri}
  - database ${database}
  - each value in secrets must be longer than or equal to 32 characters
  - each value in secrets must be a string
  - each value in returnUrls ${returnUrl}`,
    );
    expect(error.message).not.toMatch(/secret that|secret-that|s3cret/);
  });

  it("is found in a client that is given twice, with and without the issuer's slash", () => {
    const again = { ...client, issuer: 'https://oneid.example' };
    expect(faultsOf({ clients: [client, { ...client, clientId: 'other' }, again] })).toEqual([
      'clients[2] has the same issuer and clientId as an earlier client',
    ]);
    expect(faultsOf({ clients: [client, { ...client, issuer: 'https://other.example/' }] })).toEqual([]);
  });

  it('is found in a provider with two sets of endpoints', () => {
    const other = { ...client, clientId: 'other' };
    const contradiction = [
      'clients[1] has the same provider as an earlier client, but another issuer, other endpoints or another allowInsecureRequests',
    ];
    expect(
      faultsOf({
        clients: [
          { ...client, endpoints },
          { ...other, endpoints: { ...endpoints } },
        ],
      }),
    ).toEqual([]);
    expect(faultsOf({ clients: [{ ...client, endpoints }, other] })).toEqual(contradiction);
    expect(faultsOf({ clients: [client, { ...other, endpoints }] })).toEqual(contradiction);
    const elsewhere = { ...endpoints, jwks_uri: 'https://oneid.example/other' };
    expect(
      faultsOf({
        clients: [
          { ...client, endpoints },
          { ...other, endpoints: elsewhere },
        ],
      }),
    ).toEqual(contradiction);
    // the issuer must be exact with endpoints from the options; discovery accepts both forms
    const slashless = { ...other, issuer: 'https://oneid.example' };
    expect(
      faultsOf({
        clients: [
          { ...client, endpoints },
          { ...slashless, endpoints },
        ],
      }),
    ).toEqual(contradiction);
    expect(faultsOf({ clients: [client, slashless] })).toEqual([]);
  });
});
