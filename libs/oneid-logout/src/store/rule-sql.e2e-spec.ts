import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { type Bound, everyoneIdOf, type Logout } from '../rule/logout.js';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsByKind } from '../rule/session.js';
import { everyoneTargetOf, everyoneTargetsOf, targetOf } from '../rule/targets.js';
import { endedBySql, endsSql, endsWithEveryoneSql, notEndedSql, notEndedWithEveryoneSql } from './rule-sql.js';

const issuer = 'https://oneid.example/';
const sessionWithoutSid: SessionFacts = {
  id: 'session-1',
  issuer,
  clientId: 'app',
  sub: 'alice',
  iat: 1_000,
  registeredAt: 1_000_500,
};
const session: SessionFacts = { ...sessionWithoutSid, sid: 'sid-1' };

/** Below `iat` × 1000 and apart from the other times, so that a mixed-up column shows. */
const AUTH_TIME = 500;

const sid = targetOf('sid', issuer, 'sid-1');
const sub = targetOf('sub', issuer, 'alice');
const own = targetOf('session', issuer, 'session-1');

describe('the rule in SQL', () => {
  const database = new Database(':memory:');
  database.exec(
    `CREATE TABLE s (issuer, client_id, target_session, target_sid, target_sub, issued_at, registered_at, auth_time);
     CREATE TABLE c (issuer, client_id, target);
     CREATE TABLE l (id, target, channel, issued_until, registered_until, authenticated_until)`,
  );

  const rowsOf = (query: string, of: SessionFacts, { target, bound }: Pick<Logout, 'target' | 'bound'>) => {
    const until: Partial<Record<'issuedUntil' | 'registeredUntil' | 'authenticatedUntil', number>> = { ...bound };
    const { session, sub, ...other } = targetsByKind(of);
    database.exec('DELETE FROM s; DELETE FROM l; DELETE FROM c');
    for (const client of ['app', 'other']) {
      for (const one of everyoneTargetsOf(issuer, client)) {
        database.prepare('INSERT INTO c VALUES (?, ?, ?)').run(issuer, client, one);
      }
    }
    database
      .prepare('INSERT INTO s VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        of.issuer,
        of.clientId,
        session,
        other.sid ?? other.sidless,
        sub,
        of.iat,
        of.registeredAt,
        of.authTime ?? null,
      );
    database
      .prepare('INSERT INTO l VALUES (?, ?, ?, ?, ?, ?)')
      .run(
        everyone.has(target) ? everyoneIdOf(target) : target,
        ...[target, 'app', until.issuedUntil ?? null, until.registeredUntil ?? null, until.authenticatedUntil ?? null],
      );
    return database.prepare(query).all();
  };

  const bounds: (Bound | undefined)[] = [
    undefined,
    ...[-1, 0, 1].map((offset) => ({ issuedUntil: session.iat + offset })),
    ...[-1, 0, 1].map((offset) => ({ registeredUntil: session.registeredAt + offset })),
    ...[0, AUTH_TIME - 1, AUTH_TIME, AUTH_TIME + 1].map((authenticatedUntil) => ({ authenticatedUntil })),
  ];
  const ofEveryone = {
    issuer: everyoneTargetOf(issuer).target,
    client: everyoneTargetOf(issuer, 'app').target,
    'other client': everyoneTargetOf(issuer, 'other').target,
    'other issuer': everyoneTargetOf('https://other.example').target,
  };
  const everyone = new Set(Object.values(ofEveryone));
  /** The logouts of everyone have one kind of bound. */
  const boundsOf = (target: string) =>
    everyone.has(target) ? bounds.filter((bound) => bound !== undefined && 'registeredUntil' in bound) : bounds;
  const sessions: Record<string, SessionFacts> = {
    'with auth_time': { ...session, authTime: AUTH_TIME },
    'without auth_time': session,
    'without sid': sessionWithoutSid,
  };
  const sidless = targetOf('sidless', issuer, 'alice');
  const targets = {
    ...{ own, sid, sidless, sub, other: targetOf('sid', issuer, 'another') },
    ...ofEveryone,
  };
  const tables = { logout: 'l', clientTarget: 'c' };
  const cases = Object.entries(targets).flatMap(([name, target]) =>
    Object.entries(sessions).flatMap(([which, of]) =>
      boundsOf(target).map((bound) => ({
        name,
        which,
        of,
        logout: { target, bound },
        bound: JSON.stringify(bound ?? 'no bound'),
      })),
    ),
  );

  it.each(cases)('P4, P5: decides like the code for $name, $bound, a session $which', ({ logout, of }) => {
    const ended = ends(logout, of);
    const endedBy = ended ? 'app' : null;
    expect(rowsOf(`SELECT ${endedBySql(tables)} AS ended_by FROM s`, of, logout)).toEqual([{ ended_by: endedBy }]);
    const ofAnyone = `(${endsSql}) OR (${endsWithEveryoneSql(tables)})`;
    expect(rowsOf(`SELECT 1 AS one FROM s, l WHERE ${ofAnyone}`, of, logout)).toEqual(ended ? [{ one: 1 }] : []);
    const notEnded = [
      ...['s.target_session', 's.target_sid', 's.target_sub'].map((target) => notEndedSql('l', target)),
      notEndedWithEveryoneSql(tables),
    ];
    expect(rowsOf(`SELECT 1 AS one FROM s WHERE ${notEnded.join(' AND ')}`, of, logout)).toEqual(
      ended ? [] : [{ one: 1 }],
    );
  });

  it.each<[keyof SessionFacts, 'issued_until' | 'registered_until' | 'authenticated_until', SessionFacts]>([
    ['iat', 'issued_until', session],
    ['registeredAt', 'registered_until', session],
    ['authTime', 'authenticated_until', { ...session, authTime: AUTH_TIME }],
  ])('P4, P5: of many logouts of one target, the latest by %s decides', (fact, column, of) => {
    const bound = Number(of[fact]);
    for (const [latest, expected] of [
      [bound - 1, [{ one: 1 }]],
      [bound, []],
    ] as const) {
      rowsOf('SELECT 1', of, { target: targets.other, bound: { issuedUntil: 0 } });
      const insert = database.prepare(`INSERT INTO l (id, target, ${column}) VALUES (?, ?, ?)`);
      for (const until of [bound - 3, latest, bound - 2]) insert.run(String(until), sid, until);
      expect(database.prepare(`SELECT 1 AS one FROM s WHERE ${notEndedSql('l', 's.target_sid')}`).all()).toEqual(
        expected,
      );
    }
  });
});
