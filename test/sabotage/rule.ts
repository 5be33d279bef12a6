import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const recorder = `${source}/sessions/logout-recorder.ts`;
const registry = `${source}/sessions/session-registry.ts`;
const tokenLogouts = `${source}/sessions/token-logouts.ts`;
const whatEnds = 'test/what-a-logout-ends.e2e-spec.ts';
const databases = 'test/logout-start-databases.e2e-spec.ts';
const repository = 'test/session-repository.e2e-spec.ts';
const registryFile = 'test/session-registry.e2e-spec.ts';

/** The rule: each kind of logout with its target and its bound, and what registering a session asks of it. */
export const rule: readonly Sabotage[] = [
  {
    promise: 'rule: OneID, sid given',
    breaks: 'A sid that has ended is alive again for a later sign-in.',
    file: tokenLogouts,
    search: `const bound = authenticatedUntil === undefined ? undefined : { authenticatedUntil };`,
    replace: `const bound = authenticatedUntil === undefined ? { issuedUntil: iat } : { authenticatedUntil };`,
    test: {
      file: whatEnds,
      name: 'which sessions a logout ends, on SQLite with the default options P5: without the option, a sid that has ended stays over',
    },
  },
  {
    promise: 'rule: OneID, only sub',
    breaks: 'A sign-in in the second of a logout by sub lives.',
    file: tokenLogouts,
    search: `named.push({ ...fromToken(token, kind, { issuedUntil: iat }), target: targetOf(kind, issuer, sub) });`,
    replace: `named.push({ ...fromToken(token, kind, { issuedUntil: iat - 1 }), target: targetOf(kind, issuer, sub) });`,
    test: {
      file: whatEnds,
      name: 'which sessions a logout ends, on SQLite with the default options P21: a sign-in in the second of a logout by sub is refused, one in the next second lives',
    },
  },
  {
    promise: 'rule: OneID, only sub',
    breaks: 'A logout by sub ends the later sign-ins of the user, too.',
    file: tokenLogouts,
    search: `named.push({ ...fromToken(token, kind, { issuedUntil: iat }), target: targetOf(kind, issuer, sub) });`,
    replace: `named.push({ ...fromToken(token, kind, undefined), target: targetOf(kind, issuer, sub) });`,
    test: {
      file: whatEnds,
      name: 'which sessions a logout ends, on SQLite with the default options P21: a sign-in in the second of a logout by sub is refused, one in the next second lives',
    },
  },
  {
    promise: 'rule: OneID, sid, scope user',
    breaks: 'A sid ends only its own session.',
    file: tokenLogouts,
    search: `const isOfUser = scope === 'user' && sid !== undefined && sub === undefined;`,
    replace: `const isOfUser = false;`,
    test: {
      file: 'test/backchannel-logout.e2e-spec.ts',
      name: 'back-channel logout of other clients BC-10: with the scope "user" a sid ends all sessions of its user, on SQLite',
    },
  },
  {
    promise: 'rule: OneID, sid, scope user',
    breaks: 'A sign-in with an ended sid, which tells the sub, does not end the other sessions of its user.',
    file: registry,
    search: `if (logoutScope === 'user' && sid !== undefined) await`,
    replace: `if (logoutScope !== 'user' && sid !== undefined) await`,
    test: {
      file: registryFile,
      name: 'BC-10: logout scope "user", late, on SQLite a sign-in whose sid has ended ends all sessions of the user up to that logout',
    },
  },
  {
    promise: 'rule: the front-channel',
    breaks: 'An unsigned request ends a sid for good.',
    file: recorder,
    search: `await this.recordBounded({ id, channel: 'frontchannel', kind, target });`,
    replace: `await this.recordAll([{ id, channel: 'frontchannel', kind, target }]);`,
    test: {
      file: 'test/frontchannel-logout.e2e-spec.ts',
      name: 'front-channel logout, on SQLite FC-2: iss and sid FC-2: iss and sid end the login without a cookie, and a later sign-in in the same login is alive',
    },
  },
  {
    promise: 'rule: our user logs out here',
    breaks: 'The log-out button ends only the own session, and not the others of the browser login.',
    file: recorder,
    search: `(['sid', 'session', 'sub'] as const)`,
    replace: `(['session', 'sid', 'sub'] as const)`,
    test: {
      file: databases,
      name: 'on SQLite RPI-3: a logout ends the other sessions of the same browser login, and no other login of the user',
    },
  },
  {
    promise: 'rule: our user logs out here',
    breaks: 'The log-out button ends the later sign-ins of the browser login, too.',
    file: recorder,
    search: `const record = () => this.recordBounded({ id: logoutId, channel: 'app', kind, target }, registeredUntil);`,
    replace: `const record = async () => (await this.recordAll([{ id: logoutId, channel: 'app', kind, target }]))[0];`,
    test: {
      file: 'test/logout-start.e2e-spec.ts',
      name: 'starting a logout, on express the session in the app ends first RPI-3: a later sign-in is alive, even in the same login at OneID',
    },
  },
  {
    promise: 'rule: our admin ends one session',
    breaks: 'The end of one session ends the others of its browser login, too.',
    file: registry,
    search: `await this.recorder.endSession(checked.session, 'admin', checkedBy);`,
    replace: `await this.recorder.endLogin(checked.session);`,
    test: { file: databases, name: 'on SQLite end() ends one session, and no other session of the same login' },
  },
  {
    promise: "rule: our admin ends a user's sessions",
    breaks: 'The user can never sign in again.',
    file: recorder,
    search: `const created = await this.counted('admin', () => this.recordBounded(logout));`,
    replace: `const [created] = await this.counted('admin', () => this.recordAll([logout]));`,
    test: {
      file: databases,
      name: 'on SQLite endAll() ends every session that the user has now, and no later session and no session of other users',
    },
  },
  {
    promise: 'rule: a bound covers all earlier sessions',
    breaks: 'A session that was registered while the clock was ahead survives the logout.',
    file: `${source}/store/logout-inserts.ts`,
    search: `return dialect.greatest(dialect.greatest(dialect.now, '?'), newest);`,
    replace: `return dialect.greatest(dialect.greatest(dialect.now, '?'), \`(\${newest} * 0)\`);`,
    test: {
      file: repository,
      name: 'SessionRepository, on SQLite insertLogouts ends the sessions that are registered now, also one whose time is later than now',
    },
  },
  {
    promise: 'rule: a sign-in after a logout lives',
    breaks: 'A sign-in after a logout is ended by it when the clock steps back.',
    file: `${source}/store/session.repository.ts`,
    search: `(SELECT COALESCE(MAX(l.registered_until), 0) + 1 FROM`,
    replace: `(SELECT COALESCE(MAX(l.registered_until), 0) * 0 FROM`,
    test: {
      file: repository,
      name: 'SessionRepository, on SQLite insertSession registers a session after its recorded logout, also when the clock steps back: a logout of its sid',
    },
  },
  {
    promise: 'rule: an ended session stays ended',
    breaks: 'A logout without a bound ends no session, in code.',
    file: `${source}/rule/rule.ts`,
    search: `if (bound === undefined) return true;`,
    replace: `if (bound === undefined) return false;`,
    test: {
      file: `${source}/rule/rule.spec.ts`,
      name: 'ends: which logout ends which session OneID, sid given: for good, however late the sign-in',
    },
  },
  {
    promise: 'rule: an ended session stays ended',
    breaks: 'A bound ends no session of its own millisecond, in SQL.',
    file: `${source}/store/rule-sql.ts`,
    search: `OR \${registeredAt} <= l.registered_until`,
    replace: `OR \${registeredAt} < l.registered_until`,
    test: {
      file: 'test/session-rule.e2e-spec.ts',
      name: 'the rule in SQL and the rule in code agree, on SQLite check, checkByIdToken, endedBy and findAlive follow the rule',
    },
  },
  {
    promise: 'attack 5',
    breaks: 'A sign-in that a logout has overtaken gives a session.',
    file: registry,
    search: `await this.requireAlive(id, verified).catch(`,
    replace: `await this.repository.check(id).then((checked) => checked!.session).catch(`,
    test: {
      file: 'test/races.e2e-spec.ts',
      name: 'races, on SQLite attack 5: a logout during the sign-in that it ends a logout by sid, scope session, wins at every moment of the sign-in',
    },
  },
  {
    promise: 'attack 5',
    breaks: 'A refresh of an ended session succeeds.',
    file: registry,
    search: `return this.requireAlive(session.id);`,
    replace: `return session;`,
    test: {
      file: registryFile,
      name: 'SessionRegistry, on SQLite refresh attack 5: keeps an ended session ended, and the new refresh token is revoked',
    },
  },
  {
    promise: 'attack 6',
    breaks: 'The sid of one issuer is the same sid at another issuer.',
    file: `${source}/rule/targets.ts`,
    search: `return digest([kind, withoutSlash(issuer), value]);`,
    replace: `return digest([kind, value]);`,
    test: {
      file: 'test/backchannel-logout.e2e-spec.ts',
      name: 'back-channel logout of several issuers and clients BC-8, attack 6: equal sid, sub and jti of two issuers are different',
    },
  },
  {
    promise: 'registering is for sign-ins only',
    breaks: 'An ID token of yesterday registers a session.',
    file: `${source}/provider/id-token.ts`,
    search: `const ID_TOKEN_MAX_AGE = 300;`,
    replace: `const ID_TOKEN_MAX_AGE = 86_400;`,
    test: {
      file: registryFile,
      name: 'SessionRegistry, on SQLite register refuses an ID token that is too old, and stores nothing',
    },
  },
  {
    promise: 'registering is for sign-ins only',
    breaks: 'The session that the browser had before lives on.',
    file: registry,
    search: `await this.recorder.endSession(replaced.session, 'replaced');`,
    replace: ``,
    test: {
      file: registryFile,
      name: 'SessionRegistry, on SQLite register replaces ends the session that the browser had before, and no other',
    },
  },
  {
    promise: 'P23',
    breaks: 'A sign-in whose login has ended at the consent page gives a session that no logout can end.',
    file: `${source}/provider/id-token.ts`,
    search: `...(hasEmptySid && { loginEnded: true }),`,
    replace: ``,
    test: {
      file: registryFile,
      name: 'SessionRegistry, on SQLite register P23: without a refresh token, an ID token with an empty sid leaves nothing behind',
    },
  },
  {
    promise: 'P5',
    breaks: 'With reusesSid, an auth_time that proves nothing lets a session survive its logout.',
    file: `${source}/rule/rule.ts`,
    search: `return (session.authTime ?? 0) <= bound.authenticatedUntil;`,
    replace: `return (session.authTime ?? Infinity) <= bound.authenticatedUntil;`,
    test: {
      file: `${source}/rule/rule.spec.ts`,
      name: 'ends: which logout ends which session P5: a reused sid: no auth_time',
    },
  },
  {
    promise: 'rule: OneID, sid, scope user',
    breaks:
      'Of several ended sids whose user a sign-in tells later, only the first ends the other sessions of the user.',
    file: recorder,
    search: `digest(['late', target, iat])`,
    replace: `digest(['late', target])`,
    test: {
      file: registryFile,
      name: 'BC-10: logout scope "user", late, on SQLite each such sign-in ends the sessions up to the logout of its own sid',
    },
  },
];
