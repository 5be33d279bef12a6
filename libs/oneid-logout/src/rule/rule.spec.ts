import { type Logout } from './logout.js';
import { describe, expect, it } from '@jest/globals';
import { ends } from './rule.js';
import { isSameUser, type SessionFacts, targetsOf } from './session.js';
import { everyoneTargetOf, targetOf } from './targets.js';

const issuer = 'https://oneid.example/';
const session: SessionFacts = {
  id: 'session-1',
  issuer,
  clientId: 'app',
  sid: 'sid-1',
  sub: 'alice',
  iat: 1_000,
  registeredAt: 1_000_500,
};

const sid = targetOf('sid', issuer, 'sid-1');
const sidless = targetOf('sidless', issuer, 'alice');
const sub = targetOf('sub', issuer, 'alice');
const own = targetOf('session', issuer, 'session-1');
const { target: everyone } = everyoneTargetOf(issuer);
const { target: ofApp } = everyoneTargetOf(issuer, 'app');

describe('targetOf', () => {
  it('is the lower-case hex SHA-256 of [kind, issuer without slash, value]', () => {
    expect(targetOf('sid', 'https://oneid.example', 'x')).toBe(
      // printf '["sid","https://oneid.example","x"]' | sha256sum
      '52ffb68e1d67a9c5e5c0e1d8650d3b2927694a2c8a0907db8196220f8a2677f8',
    );
  });

  it('removes one trailing slash of the issuer, not two', () => {
    expect(targetOf('sid', 'https://oneid.example/', 'x')).toBe(targetOf('sid', 'https://oneid.example', 'x'));
    expect(targetOf('sid', 'https://oneid.example//', 'x')).not.toBe(targetOf('sid', 'https://oneid.example', 'x'));
  });

  it.each([
    ['the kind', targetOf('sub', issuer, 'sid-1')],
    ['the issuer', targetOf('sid', 'https://other.example/', 'sid-1')],
    ["the issuer's path", targetOf('sid', 'https://oneid.example/tenant', 'sid-1')],
    ["the issuer's case", targetOf('sid', 'https://ONEID.example/', 'sid-1')],
    ['the value', targetOf('sid', issuer, 'sid-2')],
    ["the value's case", targetOf('sid', issuer, 'SID-1')],
    ['a space after the value', targetOf('sid', issuer, 'sid-1 ')],
    ['a value that reaches into the issuer', targetOf('sid', 'https://oneid.example","sid-1', '')],
  ])('attack 6: differs with %s', (_what, other) => {
    expect(other).not.toBe(sid);
  });

  it('distinguishes lone surrogates, which UTF-8 would make equal', () => {
    expect(targetOf('sub', issuer, '\ud800')).not.toBe(targetOf('sub', issuer, '\ud801'));
  });
});

describe('ends: which logout ends which session', () => {
  const at = (authTime: number) => ({ authTime });
  const cases: [
    string,
    Pick<Logout, 'target' | 'bound'>,
    { [Name in keyof SessionFacts]?: SessionFacts[Name] | undefined },
    boolean,
  ][] = [
    ['OneID, sid given: the session of that sid', { target: sid }, {}, true],
    ['OneID, sid given: for good, however late the sign-in', { target: sid }, { iat: 9e9, registeredAt: 9e15 }, true],
    ['OneID, sid given: no session of another sid', { target: sid }, { sid: 'sid-2' }, false],
    ['OneID, sid given: no session without sid', { target: sid }, { sid: undefined }, false],
    [
      'P4: OneID, sid and sub: a session without sid, issued before the logout',
      { target: sidless, bound: { issuedUntil: 1_000 } },
      { sid: undefined },
      true,
    ],
    [
      'P4: OneID, sid and sub: no session without sid that was issued after it',
      { target: sidless, bound: { issuedUntil: 999 } },
      { sid: undefined },
      false,
    ],
    ['P4: OneID, sid and sub: no session with another sid', { target: sidless }, { sid: 'sid-2' }, false],
    ['P4: OneID, sid and sub: no other user', { target: sidless }, { sid: undefined, sub: 'bob' }, false],
    ['P4: no token without sub', { target: sidless }, { sid: undefined, sub: undefined }, false],
    [
      'P5: a reused sid: authenticated at the bound',
      { target: sid, bound: { authenticatedUntil: 900 } },
      at(900),
      true,
    ],
    ['P5: a reused sid: authenticated after it', { target: sid, bound: { authenticatedUntil: 900 } }, at(901), false],
    ['P5: a reused sid: no auth_time', { target: sid, bound: { authenticatedUntil: 900 } }, {}, true],
    ['P5: a reused sid: no other sid', { target: sid, bound: { authenticatedUntil: 900 } }, { sid: 'sid-2' }, false],
    ['OneID, only sub: issued before the logout', { target: sub, bound: { issuedUntil: 1_001 } }, {}, true],
    ['OneID, only sub: issued in the same second', { target: sub, bound: { issuedUntil: 1_000 } }, {}, true],
    ['OneID, only sub: issued after it', { target: sub, bound: { issuedUntil: 999 } }, {}, false],
    [
      "OneID, only sub: the app's clock does not matter",
      { target: sub, bound: { issuedUntil: 1_000 } },
      { registeredAt: 9e15 },
      true,
    ],
    ['OneID, only sub: no other user', { target: sub, bound: { issuedUntil: 1_001 } }, { sub: 'bob' }, false],
    ['front-channel, our user: registered before', { target: sid, bound: { registeredUntil: 1_000_501 } }, {}, true],
    [
      'front-channel, our user: registered in the same millisecond',
      { target: sid, bound: { registeredUntil: 1_000_500 } },
      {},
      true,
    ],
    [
      'front-channel, our user: a later sign-in is alive',
      { target: sid, bound: { registeredUntil: 1_000_499 } },
      {},
      false,
    ],
    [
      "front-channel, our user: OneID's clock does not matter",
      { target: sid, bound: { registeredUntil: 1_000_500 } },
      { iat: 9e9 },
      true,
    ],
    [
      'our user, without sid: that session',
      { target: own, bound: { registeredUntil: 1_000_500 } },
      { sid: undefined },
      true,
    ],
    ['our admin, one session: for good', { target: own }, { iat: 9e9, registeredAt: 9e15 }, true],
    ['our admin, one session: no other', { target: own }, { id: 'session-2' }, false],
    ['our admin, one session: no token without our id', { target: own }, { id: undefined }, false],
    [
      "our admin, a user's sessions: registered before",
      { target: sub, bound: { registeredUntil: 1_000_500 } },
      {},
      true,
    ],
    [
      "our admin, a user's sessions: a later sign-in lives",
      { target: sub, bound: { registeredUntil: 1_000_499 } },
      {},
      false,
    ],
    ['our admin, everyone: registered before', { target: everyone, bound: { registeredUntil: 1_000_500 } }, {}, true],
    [
      'our admin, everyone: a later sign-in lives',
      { target: everyone, bound: { registeredUntil: 1_000_499 } },
      {},
      false,
    ],
    [
      'our admin, everyone: no other issuer',
      { target: everyone, bound: { registeredUntil: 9e15 } },
      { issuer: 'https://other.example/' },
      false,
    ],
    [
      'our admin, everyone: also a token without client, sid, sub and id',
      { target: everyone, bound: { registeredUntil: 1_000_500 } },
      { id: undefined, clientId: undefined, sid: undefined, sub: undefined },
      true,
    ],
    ['our admin, one client: registered before', { target: ofApp, bound: { registeredUntil: 1_000_500 } }, {}, true],
    [
      'our admin, one client: no other client',
      { target: ofApp, bound: { registeredUntil: 9e15 } },
      { clientId: 'other' },
      false,
    ],
    [
      'our admin, one client: no token that names no client',
      { target: ofApp, bound: { registeredUntil: 9e15 } },
      { clientId: undefined },
      false,
    ],
    ["attack 6: another issuer's sid", { target: targetOf('sid', 'https://other.example', 'sid-1') }, {}, false],
    ["attack 6: a sub that is a session's sid", { target: targetOf('sub', issuer, 'sid-1') }, {}, false],
    ['a slash that OneID has dropped since', { target: targetOf('sid', 'https://oneid.example', 'sid-1') }, {}, true],
  ];

  it.each(cases)('%s', (_what, logout, changes, ended) => {
    const facts = Object.fromEntries(
      Object.entries({ ...session, ...changes }).filter(([, value]) => value !== undefined),
    ) as unknown as SessionFacts;
    expect(ends(logout, facts)).toBe(ended);
  });
});

describe('everyoneTargetOf', () => {
  it('names the sessions of an issuer, or of one client there', () => {
    expect(everyoneTargetOf(issuer)).toEqual({ kind: 'issuer', target: targetOf('issuer', issuer, '') });
    expect(everyoneTargetOf(issuer, 'app')).toEqual({ kind: 'client', target: targetOf('client', issuer, 'app') });
  });
});

describe('targetsOf', () => {
  it('returns all targets of a session, and no others', () => {
    expect(targetsOf(session)).toEqual([own, sid, sub, everyone, ofApp]);
    expect(targetsOf({ issuer, iat: 0, registeredAt: 0 })).toEqual([everyone]);
    expect(targetsOf({ issuer, iat: 0, registeredAt: 0, sub: 'alice' })).toEqual([sidless, sub, everyone]);
  });
});

describe('isSameUser', () => {
  it.each<[string, object, boolean]>([
    ['another login of the user', { id: 'session-2', sid: 'sid-2' }, true],
    ["the issuer's trailing slash", { issuer: 'https://oneid.example' }, true],
    ['another user', { sub: 'bob' }, false],
    ['another user whose login has the same sid', { id: 'session-2', sub: 'bob' }, false],
    ['the same sub at another issuer', { issuer: 'https://other.example/' }, false],
    ['a token of the same login without sub', { sub: undefined }, true],
    ['a token of another login without sub', { sub: undefined, sid: 'sid-2' }, false],
    ['a token without sub and sid', { sub: undefined, sid: undefined }, false],
  ])('P20: %s', (_what, changes, same) => {
    const other: SessionFacts = { ...session, ...changes };
    expect(isSameUser(session, other)).toBe(same);
    expect(isSameUser(other, session)).toBe(same);
  });

  it('P20: two tokens without sub and sid', () => {
    const { issuer, iat, registeredAt } = session;
    expect(isSameUser({ issuer, iat, registeredAt }, { issuer, iat, registeredAt })).toBe(false);
  });
});
