import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const logoutToken = `${source}/provider/logout-token.ts`;
const tokenLogouts = `${source}/sessions/token-logouts.ts`;
const file = 'test/backchannel-logout.e2e-spec.ts';
const verifierFile = `${source}/provider/logout-token.e2e-spec.ts`;

/** The rules of OpenID Connect Back-Channel Logout 1.0. */
export const backchannel: readonly Sabotage[] = [
  {
    promise: 'BC-1',
    breaks: 'A body of any media type is read as a form.',
    file: `${source}/http/form-body.ts`,
    search: `if (mediaType !== 'application/x-www-form-urlencoded') {`,
    replace: `if (mediaType === undefined) {`,
    test: { file, name: 'back-channel logout, on SQLite BC-1: the request BC-1: refuses text/plain' },
  },
  {
    promise: 'BC-2',
    breaks: 'A logout token needs no jti.',
    file: logoutToken,
    search: `refuseUnless(isIdentifier(jti), 'logout_token_jti_missing', 'jti is missing');`,
    replace: `refuseUnless(jti === undefined || isIdentifier(jti), 'logout_token_jti_missing', 'jti is missing');`,
    test: { file, name: 'back-channel logout, on SQLite BC-2: the claims BC-2: refuses a token without jti' },
  },
  {
    promise: 'BC-2',
    breaks: 'A logout token without exp counts for a day.',
    file: logoutToken,
    search: `const MAX_AGE = 600;`,
    replace: `const MAX_AGE = 86_400;`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-2: the claims BC-2: accepts a token without exp, as OneID sends it, for ten minutes',
    },
  },
  {
    promise: 'BC-3',
    breaks: 'A signature by another key counts.',
    file: logoutToken,
    search: `refuseUnless(signature === 'valid', 'logout_token_signature_invalid'`,
    replace: `refuseUnless(signature !== undefined, 'logout_token_signature_invalid'`,
    test: {
      file,
      name: "back-channel logout, on SQLite BC-3: the signature BC-3: refuses a signature by another key with the provider's kid",
    },
  },
  {
    promise: 'BC-3',
    breaks: 'A token may name any alg.',
    file: `${source}/provider/signature-algorithms.ts`,
    search: `return typeof one === 'string' && namesOf(other).includes(one);`,
    replace: `return typeof one === 'string' && other !== '';`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-3: the signature BC-3: refuses every alg except the configured one, even with a key of the provider',
    },
  },
  {
    promise: 'BC-4',
    breaks: 'An iss with another trailing slash counts.',
    file: `${source}/provider/oneid-provider.ts`,
    search: `if (this.given !== undefined || !this.mayBe(iss)) return false;`,
    replace: `return this.mayBe(iss);`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-4: issuer, audience and times BC-4: refuses another iss, even if only the trailing slash differs',
    },
  },
  {
    promise: 'BC-4',
    breaks: 'A token for this client and an untrusted one counts.',
    file: `${source}/provider/oneid-clients.ts`,
    search: `audience.every((one) => ours.some((client) => client.clientId === one) || includes(trustedAudiences, one)),`,
    replace: `audience.some((one) => ours.some((client) => client.clientId === one) || includes(trustedAudiences, one)),`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-4: issuer, audience and times BC-4: refuses an aud without our client, or with another client',
    },
  },
  {
    promise: 'BC-4',
    breaks: 'A token from the future counts.',
    file: `${source}/provider/token-times.ts`,
    search: `if (iat > now + this.toleranceSeconds) return 'issued_in_future';`,
    replace: ``,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-4: issuer, audience and times BC-4: refuses an iat that is in the future by more than the clock tolerance',
    },
  },
  {
    promise: 'BC-5',
    breaks: 'A token without sid and sub counts.',
    file: logoutToken,
    search: `(sid !== undefined || sub !== undefined) && [sid, sub]`,
    replace: `[sid, sub]`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-5: sid and sub BC-5: refuses a token without sid and sub, and a sid or sub that is not a non-empty string',
    },
  },
  {
    promise: 'BC-5',
    breaks: 'A sid that is null makes the token with a good sub invalid.',
    file: `${source}/provider/token-claims.ts`,
    search: `filter(([, value]) => value !== null && value !== '')`,
    replace: `filter(([, value]) => value !== '')`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-5: sid and sub BC-5, P7: a sid or sub that is null counts as absent beside a good other one',
    },
  },
  {
    promise: 'BC-6',
    breaks: 'The value of the logout event need not be an object.',
    file: logoutToken,
    search: `isPlainObject(events) && isPlainObject(events[LOGOUT_EVENT])`,
    replace: `isPlainObject(events) && LOGOUT_EVENT in events`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-6: the claim events BC-6: refuses events {"http://schemas.openid.net/event/backchannel-logout":true}',
    },
  },
  {
    promise: 'BC-7',
    breaks: 'A nonce that is null is no nonce.',
    file: logoutToken,
    search: `refuseUnless(!('nonce' in claims),`,
    replace: `refuseUnless((claims['nonce'] ?? null) === null,`,
    test: { file, name: 'back-channel logout, on SQLite BC-7: refuses the nonce null' },
  },
  {
    promise: 'BC-8',
    breaks: 'Each receipt of the same token is a logout of its own.',
    file: tokenLogouts,
    search: `id: digest(['backchannel', issuer, clientId, jti, kind]),`,
    replace: `id: digest(['backchannel', issuer, clientId, jti, kind, Math.random()]),`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-8: the same token again BC-8: the same token again gets the same 200 and changes nothing, also when both requests arrive at the same time',
    },
  },
  {
    promise: 'BC-8',
    breaks: 'A jti that is used again for another login loses the second logout.',
    file: `${source}/sessions/logout-recorder.ts`,
    search: `if (reused.length === 0) return created;`,
    replace: `if (reused.length >= 0) return created;`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-8: the same token again BC-8: records a jti that is reused for another login too',
    },
  },
  {
    promise: 'BC-8',
    breaks: 'While the store is down, a logout whose jti was used before leaves the sockets of its login open.',
    file: `${source}/sessions/logout-inbox.ts`,
    search: `this.bus.publishKept(logouts.named);`,
    replace: `this.bus.publishFound(logouts.named);`,
    test: {
      file: 'test/logout-inbox.e2e-spec.ts',
      name: 'a logout that the store cannot record, on SQLite BC-8: a logout of another sid whose jti the store knows closes the sockets at once, and once',
    },
  },
  {
    promise: 'BC-8',
    breaks: 'A replica that receives the second logout of a jti never tells its sockets of the first one.',
    file: `${source}/sessions/logout-recorder.ts`,
    search: `const own = logouts.filter((one) => !reused.includes(one));`,
    replace: `const own = logouts;`,
    test: {
      file: 'test/bounded-liveness.e2e-spec.ts',
      name: 'bounded liveness, on SQLite BC-8: a jti that the provider uses again BC-8: a replica that records the second logout still hears of the first one, and of each once',
    },
  },
  {
    promise: 'BC-8',
    breaks: 'The jti of one client hides the same jti of another client.',
    file: tokenLogouts,
    search: `id: digest(['backchannel', issuer, clientId, jti, kind]),`,
    replace: `id: digest(['backchannel', issuer, jti, kind]),`,
    test: {
      file,
      name: 'back-channel logout of several issuers and clients BC-8: equal jti of two clients are different',
    },
  },
  {
    promise: 'BC-9',
    breaks: 'A logout token may have any typ.',
    file: logoutToken,
    search: `return !client.strictLogoutTokenTyp && (type === undefined || type === 'jwt');`,
    replace: `return !client.strictLogoutTokenTyp;`,
    test: { file, name: 'back-channel logout, on SQLite BC-9: typ BC-9: refuses "at+jwt"' },
  },
  {
    promise: 'BC-9',
    breaks: 'The strict option accepts the typ JWT.',
    file: logoutToken,
    search: `return !client.strictLogoutTokenTyp && (type === undefined || type === 'jwt');`,
    replace: `return type === undefined || type === 'jwt';`,
    test: { file, name: 'back-channel logout of other clients BC-9: the strict option accepts only logout+jwt' },
  },
  {
    promise: 'BC-10',
    breaks: 'A logout token with only a sub ends only the sessions without sid.',
    file: tokenLogouts,
    search: `const kind = sid === undefined || scope === 'user' ? 'sub' : 'sidless';`,
    replace: `const kind = scope === 'user' ? 'sub' : 'sidless';`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-10: a sid ends only this login, and a sub without sid ends all logins of the user',
    },
  },
  {
    promise: 'BC-10',
    breaks: 'A logout token with sid and sub ends all sessions of the user.',
    file: tokenLogouts,
    search: `const kind = sid === undefined || scope === 'user' ? 'sub' : 'sidless';`,
    replace: `const kind = 'sub';`,
    test: {
      file: 'test/what-a-logout-ends.e2e-spec.ts',
      name: 'which sessions a logout ends, on SQLite with the default options P4: a session without sid P4: the sessions of its user that have another sid live on',
    },
  },
  {
    promise: 'BC-11',
    breaks: 'A logout that matches no session is an error.',
    file: `${source}/sessions/logout-recorder.ts`,
    search: `else if (created.every(({ hasSignIn }) => hasSignIn === false)) this.countMatch(false);`,
    replace: `else if (created.every(({ hasSignIn }) => hasSignIn === false)) throw new TypeError('unknown');`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-11: answers 200 for a login that is unknown or has already ended',
    },
  },
  {
    promise: 'BC-12',
    breaks: 'The answer to a recorded logout is 204.',
    file: `${source}/channels/backchannel-logout.ts`,
    search: `return { status: 200, body: '' };`,
    replace: `return { status: 204, body: '' };`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-12: answers exactly 200 on success, and 400 with error and error_description, never cached',
    },
  },
  {
    promise: 'BC-12',
    breaks: 'A cache may keep the answer.',
    file: `${source}/http/http-answer.ts`,
    search: `Object.entries({ 'Cache-Control': 'no-store', ...answer.headers })`,
    replace: `Object.entries({ ...answer.headers })`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-12: answers exactly 200 on success, and 400 with error and error_description, never cached',
    },
  },
  {
    promise: 'BC-13',
    breaks: 'OneID gets 200 for a logout that the store could not record.',
    file: `${source}/channels/backchannel-logout.ts`,
    search: `if (!later || !time.takePlace()) throw error;`,
    replace: `if (!later || !time.takePlace()) return logout;`,
    test: {
      file,
      name: "back-channel logout, on SQLite BC-13: the store or the keys are not available BC-13: answers 503 when the store fails, and 200 to OneID's later retry",
    },
  },
  {
    promise: 'BC-13',
    breaks: 'A token that the provider has signed with a new key is refused for good.',
    file: `${source}/provider/provider-keys.ts`,
    search: `if (isNewerThan(fetched, { issuedAtMs, receivedAt }, attempts)) {`,
    replace: `if (fetched.attempt > 0) {`,
    test: {
      file,
      name: 'back-channel logout, on SQLite BC-3: the signature BC-3: fetches the keys again for a token with a new key, and accepts it',
    },
  },
  {
    promise: 'BC-13',
    breaks: 'A logout that the store could not record is forgotten.',
    file: `${source}/sessions/logout-inbox.ts`,
    search: `if (error instanceof StoreUnavailableError) this.keep(logouts);`,
    replace: ``,
    test: {
      file: 'test/logout-inbox.e2e-spec.ts',
      name: 'a logout that the store cannot record, on SQLite BC-13: is kept and recorded when the store is back, however old its token is by then',
    },
  },
  {
    promise: 'BC-14',
    breaks: 'A client that agreed on encrypted tokens accepts plain ones.',
    file: logoutToken,
    search: `if (openedFor === undefined ? encryption !== undefined : !openedFor.includes(client)) {`,
    replace: `if (openedFor !== undefined && !openedFor.includes(client)) {`,
    test: {
      file: verifierFile,
      name: 'LogoutTokenVerifier with encrypted tokens BC-14: refuses a plain token then, before it checks the claims',
    },
  },
  {
    promise: 'BC-14',
    breaks: 'A compressed token is decrypted.',
    file: `${source}/provider/token-decryption.ts`,
    search: `enc === undefined || zip !== undefined || crit !== undefined`,
    replace: `enc === undefined || crit !== undefined`,
    test: { file: verifierFile, name: 'LogoutTokenVerifier with encrypted tokens BC-14: refuses zip and crit' },
  },
  {
    promise: 'BC-16',
    breaks: 'An unknown claim makes the token invalid.',
    file: logoutToken,
    search: `const { iat, exp, jti, sid, sub, events } = presentClaims(claims);`,
    replace: `const { iat, exp, jti, sid, sub, events, iss, aud, nonce, ...unknown } = presentClaims(claims);
    refuseUnless(Object.keys(unknown).length === 0, 'logout_token_malformed', MALFORMED);`,
    test: { file, name: 'back-channel logout, on SQLite BC-16: ignores unknown claims' },
  },
];
