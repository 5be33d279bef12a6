import { type Bound, everyoneIdOf, isOfEveryone, type Logout } from '../libs/oneid-logout/src/rule/logout.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ends } from '../libs/oneid-logout/src/rule/rule.js';
import { type SessionFacts } from '../libs/oneid-logout/src/rule/session.js';
import { digest, everyoneTargetOf, targetOf, type TargetKind } from '../libs/oneid-logout/src/rule/targets.js';
import { isEveryoneKind } from '../libs/oneid-logout/src/store/target-columns.js';
import { databases, type TestDatabase } from './support/databases.js';
import { type SqlParameter } from '../libs/oneid-logout/src/database/sql.js';
import { SessionStore, without } from './support/session-store.js';

interface Sessions {
  readonly facts: SessionFacts & { id: string; sub: string };
  readonly expired: boolean;
}

interface Logouts {
  readonly id: string;
  readonly fact: Pick<Logout, 'target' | 'bound'>;
  readonly due: boolean;
}

const issuers = ['https://oneid.example', 'https://oneid.example/', 'https://other.example/'];
const clients = ['app', 'another app'];
const names = ['alice', 'Alice', 'alice ', 'ålice', '😀', "al'ice?\\"];

/** Few values, so that equal ones are frequent. */
const issuer = fc.constantFrom(...issuers);
const name = fc.constantFrom(...names);
const client = fc.constantFrom(...clients);
const moment = fc.integer({ min: 1, max: 4 });

const session = fc.record({
  expired: fc.boolean(),
  issuer,
  clientId: client,
  sid: fc.option(name, { nil: undefined }),
  sub: name,
  iat: moment,
  authTime: fc.option(moment, { nil: undefined }),
  registeredAt: moment,
});

const bound = fc.oneof(
  fc.constant(undefined),
  fc.record({ issuedUntil: moment }),
  fc.record({ registeredUntil: moment }),
  fc.record({ authenticatedUntil: moment }),
) as fc.Arbitrary<Bound | undefined>;

const logout = fc.record({
  kind: fc.constantFrom<TargetKind>('session', 'sid', 'sidless', 'sub', 'issuer', 'client'),
  issuer,
  client,
  registeredUntil: moment,
  value: name,
  nth: fc.nat(7),
  bound,
  due: fc.boolean(),
});

const world = fc.record({
  sessions: fc.array(session, { minLength: 1, maxLength: 8 }),
  logouts: fc.array(logout, { minLength: 1, maxLength: 8 }),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function sessionsOf({ sessions }: World): Sessions[] {
  return sessions.map(({ expired, sid, authTime, ...facts }, index) => ({
    expired,
    facts: {
      ...{ ...facts, id: digest(['session', index]) },
      ...(sid !== undefined && { sid }),
      ...(authTime !== undefined && { authTime }),
    },
  }));
}

function logoutsOf({ logouts }: World, sessions: readonly Sessions[]): Logouts[] {
  return logouts.map(({ kind, issuer, client, value, nth, bound, registeredUntil, due }, index) => {
    if (isEveryoneKind(kind)) {
      // these logouts always have this bound
      const { target } = everyoneTargetOf(issuer, kind === 'client' ? client : undefined);
      return { id: everyoneIdOf(`${index}`), fact: { target, bound: { registeredUntil } }, due };
    }
    const aimed = kind === 'session' ? sessions[nth % sessions.length]?.facts : undefined;
    const target = targetOf(kind, aimed?.issuer ?? issuer, aimed?.id ?? value);
    return { id: digest(['logout', index]), fact: { target, bound }, due };
  });
}

describe.each(databases)('the rule in SQL and the rule in code agree, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase);
    for (const issuer of issuers) for (const one of clients) await store.repository.rememberClient(issuer, one);
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  async function insert(table: string, rows: readonly (readonly SqlParameter[])[]): Promise<void> {
    const values = rows.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
    await store.database.run(`INSERT INTO ${table} VALUES ${values}`, rows.flat());
  }

  async function write(sessions: readonly Sessions[], logouts: readonly Logouts[]): Promise<void> {
    await store.clear();
    await insert(
      'oneid_session',
      sessions.map(({ facts: { id, issuer, clientId = '', sid, sub, iat, authTime, registeredAt }, expired }) => [
        ...[id, issuer, clientId, sid ?? null, sub, iat, authTime ?? null, registeredAt],
        ...[expired ? 1 : 9_000_000_000_000, targetOf('session', issuer, id)],
        sid === undefined ? targetOf('sidless', issuer, sub) : targetOf('sid', issuer, sid),
        targetOf('sub', issuer, sub),
        digest(['id token', id]),
        null,
      ]),
    );
    await insert(
      'oneid_session_tokens (session_id, id_token, refresh_token)',
      sessions.map(({ facts }) => [facts.id, 'sealed', null]),
    );
    await insert(
      'oneid_logout (id, target, issued_until, registered_until, authenticated_until, revocation_due_at, channel, recorded_at, changed_at, keep_until)',
      logouts.map(({ id, fact: { target, bound = {} }, due }) => [
        ...[id, target, 'issuedUntil' in bound ? bound.issuedUntil : null],
        'registeredUntil' in bound ? bound.registeredUntil : null,
        ...['authenticatedUntil' in bound ? bound.authenticatedUntil : null, due ? 1 : null],
        ...['backchannel', 1, 1, 1],
      ]),
    );
  }

  const runs = { numRuns: Number(process.env['RULE_RUNS'] ?? 50) };

  it.each(['sid', 'sub'] as const)('a logout by %s outranks the end of the session after an outage', async (kind) => {
    await store.clear();
    const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'alice', sid: 'login' }) });
    const found = await store.repository.check(id);
    await store.recorder.endSessions(found === undefined ? [] : [found.session], 'unconfirmed');
    expect((await store.repository.check(id))?.endedBy).toBe('unconfirmed');
    await store.recorder.recordBackchannel(store.logout(kind === 'sid' ? { sid: 'login' } : { sub: 'alice' }));
    expect((await store.repository.check(id))?.endedBy).toBe('backchannel');
  });

  it('check, checkByIdToken, endedBy and findAlive follow the rule', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (world) => {
        const sessions = sessionsOf(world);
        const logouts = logoutsOf(world, sessions);
        await write(sessions, logouts);
        const isEnded = (facts: SessionFacts) => logouts.some(({ fact }) => ends(fact, facts));

        for (const { facts, expired } of sessions) {
          const checked = await store.repository.check(facts.id);
          expect(checked?.endedBy).toBe(isEnded(facts) ? 'backchannel' : undefined);
          expect(checked?.expired).toBe(expired);
          expect(checked?.session).toMatchObject(facts);
          expect(await store.repository.checkByIdToken(digest(['id token', facts.id]))).toEqual(checked);
          // like a token's claims: without our session id
          const claims = without(facts, 'id');
          expect(await store.repository.endedBy(claims)).toBe(isEnded(claims) ? 'backchannel' : undefined);
        }
        for (const kind of ['sid', 'sub'] as const) {
          for (const issuer of issuers) {
            const target = targetOf(kind, issuer, 'alice');
            const alive = await store.repository.findAlive(kind, target, 99);
            const expected = sessions.filter(
              ({ facts, expired }) =>
                facts[kind] !== undefined &&
                targetOf(kind, facts.issuer, facts[kind]) === target &&
                !expired &&
                !isEnded(facts),
            );
            expect(alive.map(({ id }) => id).sort()).toEqual(expected.map(({ facts }) => facts.id).sort());
          }
        }
      }),
      runs,
    );
  });

  it('findEndedBy finds the tokens of the sessions that a logout ends', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (world) => {
        const sessions = sessionsOf(world);
        const logouts = logoutsOf(world, sessions);
        await write(sessions, logouts);
        for (const { id, fact } of logouts) {
          const found = await (isOfEveryone({ id })
            ? store.tokens.findEndedWithEveryone(id, '', 99)
            : store.tokens.findEndedBy(id, '', 99));
          const expected = sessions.filter(({ facts }) => ends(fact, facts)).map(({ facts }) => facts.id);
          expect(found.map(({ sessionId }) => sessionId)).toEqual(expected.sort());
        }
      }),
      runs,
    );
  });

  it('purge: deletes a logout after all sessions that it ends, and neither while tokens are due', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (world) => {
        const sessions = sessionsOf(world);
        const logouts = logoutsOf(world, sessions);
        await write(sessions, logouts);
        await store.purge(99);
        const kept = sessions.filter(
          ({ facts, expired }) => !expired || logouts.some(({ fact, due }) => due && ends(fact, facts)),
        );
        const ids = (rows: readonly { readonly [name: string]: unknown }[]) =>
          rows.map((row) => String(row['id'])).sort();
        expect(ids(await store.rows('session'))).toEqual(kept.map(({ facts }) => facts.id).sort());
        expect(ids(await store.rows('logout'))).toEqual(
          logouts
            .filter(({ id, fact, due }) => {
              // of everyone: all clients' sessions count
              const until =
                isOfEveryone({ id }) && fact.bound !== undefined && 'registeredUntil' in fact.bound
                  ? fact.bound
                  : undefined;
              const older = kept.some(({ facts }) => facts.registeredAt <= (until?.registeredUntil ?? 0));
              return due || older || kept.some(({ facts }) => ends(fact, facts));
            })
            .map(({ id }) => id)
            .sort(),
        );
      }),
      runs,
    );
  });
});
