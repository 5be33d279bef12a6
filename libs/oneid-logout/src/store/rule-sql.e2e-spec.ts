import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { type Bound, type Logout } from '../rule/logout.js';
import { ends } from '../rule/rule.js';
import { type SessionFacts } from '../rule/session.js';
import { targetOf } from '../rule/targets.js';
import { endedBySql, endsSql, notEndedSql } from './rule-sql.js';

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
const sub = targetOf('sub', issuer, 'alice');
const own = targetOf('session', issuer, 'session-1');

describe('the rule in SQL', () => {
  const columns = { session: 'target_session, target_sid, target_sub, issued_at, registered_at' };
  const database = new Database(':memory:');
  database.exec(
    `CREATE TABLE s (${columns.session}); CREATE TABLE l (target, channel, issued_until, registered_until)`,
  );

  const rowsOf = (query: string, { target, bound }: Pick<Logout, 'target' | 'bound'>) => {
    const { issuedUntil, registeredUntil }: { issuedUntil?: number; registeredUntil?: number } = bound ?? {};
    database.exec('DELETE FROM s; DELETE FROM l');
    database.prepare('INSERT INTO s VALUES (?, ?, ?, ?, ?)').run(own, sid, sub, session.iat, session.registeredAt);
    database
      .prepare('INSERT INTO l VALUES (?, ?, ?, ?)')
      .run(target, 'app', issuedUntil ?? null, registeredUntil ?? null);
    return database.prepare(query).all();
  };

  const bounds: (Bound | undefined)[] = [
    undefined,
    ...[-1, 0, 1].map((offset) => ({ issuedUntil: session.iat + offset })),
    ...[-1, 0, 1].map((offset) => ({ registeredUntil: session.registeredAt + offset })),
  ];
  const targets = { own, sid, sub, other: targetOf('sid', issuer, 'another') };
  const cases = Object.entries(targets).flatMap(([name, target]) =>
    bounds.map((bound) => ({ name, logout: { target, bound }, bound: JSON.stringify(bound ?? 'no bound') })),
  );

  it.each(cases)('decides like the code for $name, $bound', ({ logout }) => {
    const ended = ends(logout, session);
    const endedBy = ended ? 'app' : null;
    expect(rowsOf(`SELECT ${endedBySql('l')} AS ended_by FROM s`, logout)).toEqual([{ ended_by: endedBy }]);
    expect(rowsOf(`SELECT 1 AS one FROM s, l WHERE ${endsSql}`, logout)).toEqual(ended ? [{ one: 1 }] : []);
    const notEnded = ['s.target_session', 's.target_sid', 's.target_sub'].map((target) => notEndedSql('l', target));
    expect(rowsOf(`SELECT 1 AS one FROM s WHERE ${notEnded.join(' AND ')}`, logout)).toEqual(ended ? [] : [{ one: 1 }]);
  });
});
