import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { SessionEndedError } from 'nestjs-oneid-logout';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, type TestDatabase } from './support/databases.js';
import { DAY, factsOf, intercept, issuer, logoutRetention, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

type Outcome = 'registered' | 'ended';

interface Scenario<T> {
  readonly work: () => Promise<T>;
  readonly interruption: () => Promise<unknown>;
  readonly after: (result: T, isInterrupted: boolean) => Promise<void>;
}

/**
 * Runs `work` many times on one replica. In run n, `interruption` runs just before statement n of `work`. In the last
 * run, `interruption` runs after all statements. Then `after` checks the result: `isInterrupted` is false in the last run.
 */
async function atEachStatement<T>(
  store: SessionStore,
  scenario: () => Scenario<T> | Promise<Scenario<T>>,
): Promise<number> {
  for (let n = 1; ; n++) {
    const { work, interruption, after } = await scenario();
    let statements = 0;
    const restore = intercept(store.database, async (run, sql, parameters) => {
      if (++statements === n) {
        restore();
        await interruption();
      }
      return run(sql, parameters);
    });
    const result = await work().finally(restore);
    if (statements < n) await interruption();
    await after(result, statements >= n);
    if (statements < n) return n;
  }
}

const outcomeOf = (work: Promise<unknown>): Promise<Outcome> =>
  work.then(
    () => 'registered',
    (error: unknown) => {
      expect(error).toBeInstanceOf(SessionEndedError);
      return 'ended';
    },
  );

/** By their target: a sign-in that was refused keeps no sub. */
const sessionsOf = (store: SessionStore, sub: string) =>
  store.rows('session', 'target_sub = ? ORDER BY registered_at', targetOf('sub', issuer, sub));

describe.each(databases)('races, on $name', (database) => {
  const clock = new TestClock();
  let testDatabase: TestDatabase;
  /** The replica whose work is interrupted. */
  let slow: SessionStore;
  /** The replica that interrupts. */
  let fast: SessionStore;
  /** A replica whose logouts end all sessions of the user. */
  let wide: SessionStore;
  let round = 0;
  beforeAll(async () => {
    testDatabase = await database.take();
    slow = await SessionStore.open(testDatabase, { clock });
    fast = await SessionStore.open(testDatabase, { clock });
    wide = await SessionStore.open(testDatabase, { clock, scope: 'user' });
  });
  beforeEach(() => {
    clock.ahead = clock.databaseAhead = 0;
  });
  afterAll(async () => {
    for (const store of [slow, fast, wide]) await store.close();
    await testDatabase.drop();
  });

  /** A new user, login and ID token for each call. */
  function newLogin(store = slow) {
    const sub = `user-${++round}`;
    const sid = `sid-${round}`;
    return { sub, sid, idToken: store.idToken({ sub, sid }), refreshToken: `refresh-${round}` };
  }

  const liveSessions = async (sub: string) => {
    const rows = await sessionsOf(fast, sub);
    const alive = await Promise.all(rows.map(({ id }) => fast.isAlive(String(id))));
    return alive.filter(Boolean).length;
  };

  /** Checks that stored tokens are due for revocation, or belong to an alive session. */
  const noTokenIsForgotten = async (sub: string) => {
    const due = await fast.revocations.findDue(999);
    for (const { id } of await sessionsOf(fast, sub)) {
      if ((await fast.isAlive(String(id))) || (await fast.tokens.find(String(id))) === undefined) continue;
      const reached = await Promise.all(due.map((logout) => fast.tokens.findEndedBy(logout.id, '', 99)));
      expect(reached.flat().map(({ sessionId }) => sessionId)).toContain(id);
    }
  };

  /** Does the revoker's work, without a provider. */
  const revokeAll = async (store: SessionStore): Promise<string[]> => {
    const revoked: string[] = [];
    for (const logout of await store.revocations.findDue(999)) {
      if (!(await store.revocations.claim(logout))) continue;
      for (const tokens of await store.tokens.findEndedBy(logout.id, '', 99)) {
        const token = await store.vault.open(tokens.sessionId, tokens.refreshToken);
        if (token !== undefined) revoked.push(token);
        await store.tokens.erase(tokens);
      }
      await store.revocations.release(logout, null);
    }
    return revoked;
  };

  describe('attack 5: a logout during the sign-in that it ends', () => {
    it.each(['session', 'user'] as const)(
      'a logout by sid, scope %s, wins at every moment of the sign-in',
      async (scope) => {
        const store = scope === 'user' ? wide : slow;
        await atEachStatement(store, async () => {
          const { sub, sid, ...tokens } = newLogin(store);
          // the user's other browser
          const other = await outcomeOf(
            store.registry.register({ idToken: store.idToken({ sub, sid: `${sid} elsewhere` }) }),
          );
          expect(other).toBe('registered');
          clock.advance(1_000);
          return {
            work: () =>
              outcomeOf(store.registry.register({ idToken: tokens.idToken, refreshToken: tokens.refreshToken })),
            interruption: () => fast.recorder.recordBackchannel(store.logout({ sid, scope })),
            after: async (outcome, isInterrupted) => {
              expect(outcome).toBe(isInterrupted ? 'ended' : 'registered');
              expect(await liveSessions(sub)).toBe(scope === 'user' ? 0 : 1);
              await noTokenIsForgotten(sub);
            },
          };
        });
      },
    );

    it('a logout by user ends every session whose ID token is older', async () => {
      await atEachStatement(slow, () => {
        const { sub, idToken, refreshToken } = newLogin();
        return {
          work: () => outcomeOf(slow.registry.register({ idToken, refreshToken })),
          interruption: () => fast.recorder.recordBackchannel(fast.logout({ sub })),
          after: async (outcome, isInterrupted) => {
            expect(outcome).toBe(isInterrupted ? 'ended' : 'registered');
            expect(await liveSessions(sub)).toBe(0);
            await noTokenIsForgotten(sub);
          },
        };
      });
    });

    it.each([
      ['an administrator ends the user', 'admin'],
      ['the front-channel ends the login', 'frontchannel'],
    ] as const)('%s: earlier registrations are ended, and later registrations are alive', async (_what, channel) => {
      const outcomes: Outcome[] = [];
      await atEachStatement(slow, () => {
        const { sub, sid, idToken, refreshToken } = newLogin();
        return {
          work: () => outcomeOf(slow.registry.register({ idToken, refreshToken })),
          interruption: () =>
            channel === 'admin' ? fast.recorder.endUser(issuer, sub) : fast.recorder.recordFrontchannel(issuer, sid),
          after: async (outcome) => {
            outcomes.push(outcome);
            if (outcome === 'ended') expect(await liveSessions(sub)).toBe(0);
            if (channel === 'admin') await noTokenIsForgotten(sub);
          },
        };
      });
      expect(outcomes).toContain('registered');
      expect(outcomes).toContain('ended');
      expect(outcomes.indexOf('ended')).toBeGreaterThan(outcomes.lastIndexOf('registered', outcomes.indexOf('ended')));
    });

    it("a logout wins when the database's clock steps back between any two statements", async () => {
      await atEachStatement(slow, () => {
        clock.databaseAhead = 0;
        const { sub, sid, idToken, refreshToken } = newLogin();
        return {
          work: () => outcomeOf(slow.registry.register({ idToken, refreshToken })),
          interruption: async () => {
            clock.databaseAhead = -2 * DAY;
            await fast.recorder.endUser(issuer, sub);
          },
          after: async (outcome) => {
            const again = await outcomeOf(fast.registry.register({ idToken: fast.idToken({ sub, sid }) }));
            expect(again).toBe('registered');
            expect(await liveSessions(sub)).toBe(1 + (outcome === 'registered' && (await endedBefore(sub)) ? 1 : 0));
          },
        };
      });
    });

    /** Was the logout recorded before the first session was registered? */
    const endedBefore = async (sub: string): Promise<boolean> => {
      const rows = await sessionsOf(fast, sub);
      return fast.isAlive(String(rows[0]?.['id']));
    };
  });

  describe('attack 5: a refresh does not bring a session back', () => {
    it.each([true, false])('a logout at any moment of the refresh, tokens revoked at once: %s', async (revokes) => {
      await atEachStatement(slow, async () => {
        const { sub, sid, idToken, refreshToken } = newLogin();
        const session = await slow.registry.register({ idToken, refreshToken });
        const revoked: string[] = [];
        return {
          work: () => outcomeOf(slow.registry.refresh(session.id, { refreshToken: `${refreshToken} rotated` })),
          interruption: async () => {
            await fast.recorder.recordBackchannel(fast.logout({ sid }));
            if (revokes) revoked.push(...(await revokeAll(fast)));
          },
          after: async () => {
            expect(await liveSessions(sub)).toBe(0);
            await noTokenIsForgotten(sub);
            revoked.push(...(await revokeAll(fast)));
            // the newest refresh token must be revoked; otherwise OneID would keep it valid
            expect(revoked).toContain(`${refreshToken} rotated`);
            expect(await fast.tokens.find(session.id)).toBeUndefined();
          },
        };
      });
    });

    it("does not change the session's facts", async () => {
      const { idToken, refreshToken } = newLogin();
      const session = await slow.registry.register({ idToken, refreshToken });
      clock.advance(DAY);
      expect(await slow.registry.refresh(session.id, { refreshToken: 'rotated' })).toEqual(factsOf(session));
    });
  });

  it('the same sign-in twice at the same time gives one session', async () => {
    await atEachStatement(slow, () => {
      const { sub, idToken, refreshToken } = newLogin();
      let other = '';
      return Promise.resolve({
        work: async () => (await slow.registry.register({ idToken, refreshToken })).id,
        interruption: async () => (other = (await fast.registry.register({ idToken, refreshToken })).id),
        after: async (id: string) => {
          expect(id).toBe(other);
          expect(await sessionsOf(fast, sub)).toHaveLength(1);
        },
      });
    });
  });

  it('BC-8: the same logout token twice at the same time gives one logout and one event', async () => {
    const events: string[] = [];
    const subscriptions = [slow, fast].map((store) =>
      store.events.logouts.subscribe(({ channel }) => events.push(channel)),
    );
    await atEachStatement(slow, () => {
      events.length = 0;
      const { sub, sid } = newLogin();
      const token = slow.logout({ sid, sub, scope: 'user' });
      return Promise.resolve({
        work: () => slow.recorder.recordBackchannel(token),
        interruption: () => fast.recorder.recordBackchannel(token),
        after: async () => {
          const ids = ['sid', 'sub'].map((kind) => digest(['backchannel', issuer, token.clientId, token.jti, kind]));
          for (const id of ids) expect(await fast.row('logout', id)).toBeDefined();
          // events for its login and for its user
          expect(events).toEqual(['backchannel', 'backchannel']);
        },
      });
    });
    for (const subscription of subscriptions) subscription.unsubscribe();
  });

  it('FC-2: the same front-channel request twice at the same time gives one logout', async () => {
    const { sid, idToken } = newLogin();
    await slow.registry.register({ idToken });
    const before = (await fast.rows('logout')).length;
    await Promise.all([slow, fast, slow, fast].map((store) => store.recorder.recordFrontchannel(issuer, sid)));
    expect((await fast.rows('logout')).length).toBe(before + 1);
  });

  it('a purge at any moment deletes no alive session and no logout that still counts', async () => {
    await atEachStatement(slow, async () => {
      clock.databaseAhead = 0;
      const { sub, sid } = newLogin();
      const dead = await fast.registry.register({ idToken: fast.idToken({ sub, sid }) });
      await fast.recorder.recordBackchannel(fast.logout({ sid }));
      const session = await fast.registry.register({ idToken: fast.idToken({ sub, sid: `${sid} again` }) });
      clock.databaseAhead = DAY;
      return {
        work: () => slow.judge.judge({ sessionToken: session.sessionToken }),
        interruption: () => fast.purge(999),
        after: async (verdict) => {
          expect(verdict).toEqual({ alive: factsOf(session) });
          expect((await fast.repository.check(dead.id))?.endedBy).toBe('backchannel');
        },
      };
    });
  });

  it('a check at any moment of a purge never finds an ended session alive', async () => {
    await atEachStatement(slow, async () => {
      await revokeAll(fast);
      clock.databaseAhead = 0;
      const { sid, idToken } = newLogin();
      const { id } = await fast.registry.register({ idToken });
      await fast.recorder.recordBackchannel(fast.logout({ sid }));
      clock.databaseAhead = 1;
      await revokeAll(fast);
      clock.databaseAhead = 2 * logoutRetention;
      return {
        work: () => slow.purge(999),
        interruption: async () => {
          // like a clock that was wrong and is right again
          clock.databaseAhead = 0;
          const checked = await fast.repository.check(id);
          clock.databaseAhead = 2 * logoutRetention;
          if (checked !== undefined) expect(checked.endedBy).toBe('backchannel');
        },
        after: async () => expect(await fast.isAlive(id)).toBe(false),
      };
    });
  });

  it('a purge at any moment of a sign-in again never forgets the sign-in', async () => {
    await atEachStatement(slow, async () => {
      clock.databaseAhead = 0;
      const { sub, sid } = newLogin();
      await fast.repository.rememberUser({ issuer, sid, sub });
      clock.databaseAhead = 2 * logoutRetention;
      return {
        work: () => slow.repository.rememberUser({ issuer, sid, sub }),
        interruption: () => fast.purge(999),
        after: async () =>
          expect(await fast.repository.findUsers(targetOf('sid', issuer, sid))).toEqual([targetOf('sub', issuer, sub)]),
      };
    });
  });

  describe('`replaces`', () => {
    it('a logout of the old or the new session at any moment ends the right sessions', async () => {
      for (const which of ['old', 'new'] as const) {
        await atEachStatement(slow, async () => {
          const { sub, sid, idToken } = newLogin();
          const old = await fast.registry.register({ idToken: fast.idToken({ sub, sid: `${sid} old` }) });
          return {
            work: () => outcomeOf(slow.registry.register({ idToken, replaces: old.sessionToken })),
            interruption: () =>
              fast.recorder.recordBackchannel(fast.logout({ sid: which === 'old' ? `${sid} old` : sid })),
            after: async (outcome) => {
              if (outcome === 'registered' || which === 'old') expect(await fast.isAlive(old.id)).toBe(false);
              expect(await liveSessions(sub)).toBe(
                outcome === 'registered' && which === 'old' ? 1 : Number(outcome === 'ended' && which === 'new'),
              );
            },
          };
        });
      }
    });

    it('two sign-ins replace the same session: it is ended, and both new sessions are alive', async () => {
      await atEachStatement(slow, async () => {
        const { sub, sid, idToken } = newLogin();
        const old = await fast.registry.register({ idToken: fast.idToken({ sub, sid: `${sid} old` }) });
        return {
          work: () => slow.registry.register({ idToken, replaces: old.sessionToken }),
          interruption: () =>
            fast.registry.register({ idToken: fast.idToken({ sub, sid: `${sid} too` }), replaces: old.sessionToken }),
          after: async () => {
            expect(await fast.isAlive(old.id)).toBe(false);
            expect(await liveSessions(sub)).toBe(2);
            expect(
              await fast.rows('logout', 'channel = ? AND id = ?', 'replaced', await idOfReplaced(old.id)),
            ).toHaveLength(1);
          },
        };
      });
    });

    const idOfReplaced = async (id: string) => {
      const [row] = await fast.rows('session', 'id = ?', id);
      return digest(['replaced', String(row?.['target_session'])]);
    };
  });

  it("attack 10: a rollback of the host's transaction undoes no sign-in, refresh or logout", async () => {
    const host = await new DataSource(testDatabase.options).initialize();
    const runner = host.createQueryRunner();
    const { sid, idToken, refreshToken } = newLogin();
    await runner.startTransaction();
    await runner.query('SELECT COUNT(*) FROM oneid_session');
    const session = await slow.registry.register({ idToken, refreshToken });
    await slow.registry.refresh(session.id, { refreshToken: 'rotated' });
    await runner.rollbackTransaction();
    expect(await fast.isAlive(session.id)).toBe(true);
    expect((await fast.vault.load(session.id))?.refreshToken).toBe('rotated');

    await runner.startTransaction();
    await runner.query('SELECT COUNT(*) FROM oneid_logout');
    await slow.recorder.recordBackchannel(slow.logout({ sid }));
    await runner.rollbackTransaction();
    await host.destroy();
    expect(await fast.isAlive(session.id)).toBe(false);
  });
});

const postgresKinds = databases.filter(({ name }) => name.startsWith('PostgreSQL'));

describe.each(postgresKinds)('statements that are sent but not committed, on $name', (database) => {
  const clock = new TestClock();
  let testDatabase: TestDatabase;
  let slow: SessionStore;
  let fast: SessionStore;
  let gate: DataSource;
  beforeAll(async () => {
    testDatabase = await database.take();
    slow = await SessionStore.open(testDatabase, { clock });
    fast = await SessionStore.open(testDatabase, { clock });
    gate = await new DataSource({ ...testDatabase.options, poolSize: 1 } as typeof testDatabase.options).initialize();
    // an insert that has read its time waits here, uncommitted, until the test releases the lock
    await gate.query(
      `CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NEW; END $$`,
    );
    for (const [table, key] of Object.entries({ oneid_session: 1, oneid_logout: 2 })) {
      await gate.query(
        `CREATE TRIGGER gate BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION wait_at_gate('${key}')`,
      );
    }
  });
  beforeEach(() => {
    clock.ahead = clock.databaseAhead = 0;
  });
  afterAll(async () => {
    await gate.destroy();
    for (const store of [slow, fast]) await store.close();
    await testDatabase.drop();
  });

  const keys = { session: 1, logout: 2 };

  async function hold(table: keyof typeof keys, work: () => Promise<unknown>, meanwhile: () => Promise<unknown>) {
    await gate.query(`SELECT pg_advisory_lock(${keys[table]})`);
    const held = work().then(
      () => undefined,
      (error: unknown) => error,
    );
    for (let waiting = 0; waiting === 0;) {
      const [row] = await gate.query<[{ waiting: number }]>(
        `SELECT COUNT(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      waiting = row.waiting;
    }
    await meanwhile();
    await gate.query(`SELECT pg_advisory_unlock(${keys[table]})`);
    return held;
  }

  it.each([
    ['OneID ends its sid', 0, true],
    ['an administrator ends the user', 0, true],
    ['an administrator ends the user, the clock has stepped back', -DAY, false],
  ] as const)('attack 5: a sign-in is inserted but not committed, %s', async (what, step, ended) => {
    const sid = `${what} sid`;
    const sub = `${what} sub`;
    const idToken = slow.idToken({ sid, sub });
    const result = await hold(
      'session',
      () => slow.registry.register({ idToken }),
      async () => {
        clock.databaseAhead = step;
        if (what === 'OneID ends its sid') await fast.recorder.recordBackchannel(fast.logout({ sid }));
        else await fast.recorder.endUser(issuer, sub);
      },
    );
    if (ended) expect(result).toBeInstanceOf(SessionEndedError);
    else expect(result).toBeUndefined();
    const [row] = await sessionsOf(fast, sub);
    expect(await fast.isAlive(String(row?.['id']))).toBe(!ended);
  });

  it('attack 5: a sign-in is inserted but not committed, and its user is erased: it erases its own data', async () => {
    const sub = 'erased user';
    const idToken = slow.idToken({ sub, sid: 'erased sid' });
    const result = await hold(
      'session',
      () => slow.registry.register({ idToken, refreshToken: 'refresh', label: 'phone' }),
      async () => {
        await fast.recorder.endUser(issuer, sub);
        expect(await fast.userData.erase(targetOf('sub', issuer, sub))).toBe(0);
      },
    );
    expect(result).toBeInstanceOf(SessionEndedError);
    const rows = await sessionsOf(fast, sub);
    expect(rows).toMatchObject([{ sub: '', sid: '', label: null }]);
    const tokens = await fast.rows('session_tokens', 'session_id = ?', String(rows[0]?.['id']));
    expect(tokens).toMatchObject([{ id_token: null, refresh_token: expect.any(String) as unknown }]);
  });

  it.each([
    ['of its sid by OneID', true],
    ['of its user by an administrator', false],
  ] as const)('attack 5: a logout %s is inserted but not committed during a sign-in', async (what, ended) => {
    const sid = `${what} sid`;
    const sub = `${what} sub`;
    let id = '';
    await hold(
      'logout',
      () => (ended ? slow.recorder.recordBackchannel(slow.logout({ sid })) : slow.recorder.endUser(issuer, sub)),
      async () => {
        clock.databaseAhead = 10;
        ({ id } = await fast.registry.register({ idToken: fast.idToken({ sid, sub }) }));
        expect(await fast.isAlive(id)).toBe(true);
      },
    );
    expect(await fast.isAlive(id)).toBe(!ended);
  });
});
