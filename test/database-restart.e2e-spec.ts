import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { clientId, Host, type HostSettings } from './support/host.js';
import { TestPostgres } from './support/postgres.mjs';
import { until } from './support/until.js';

interface Login {
  readonly session: string;
  readonly logoutToken: string;
  acknowledged: boolean;
}

describe.each(['SIGINT', 'SIGKILL'] as const)('the database restarts during requests, ended by %s', (signal) => {
  let postgres: TestPostgres;
  let host: Host;
  let traffic: Promise<void>[];
  let stopped: boolean;
  beforeEach(async () => {
    postgres = await TestPostgres.start({ durable: true });
    const database: HostSettings['database'] = {
      take: () => Promise.resolve({ options: { type: 'postgres', url: postgres.url }, drop: () => postgres.stop() }),
    };
    host = await Host.start({ database });
    traffic = [];
    stopped = false;
  });
  afterEach(async () => {
    stopped = true;
    await Promise.allSettled(traffic);
    await host.stop();
  });

  async function signIn(): Promise<Login> {
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const { sessionToken: session } = await host.app.get(SessionRegistry).register({ idToken });
    const logoutToken = await host.oneId.logoutToken({ clientId, sid: login.sid });
    return { session, logoutToken, acknowledged: false };
  }

  /** One delivery by OneID. */
  async function deliver(login: Login): Promise<number> {
    const body = new URLSearchParams({ logout_token: login.logoutToken });
    const response = await host.fetch('/backchannel_logout', { method: 'POST', body });
    if (response.status === 200) login.acknowledged = true;
    return response.status;
  }

  async function me({ session }: Login): Promise<number> {
    const response = await host.fetch('/me', { session });
    await response.text();
    return response.status;
  }

  it('the guard answers 503 until the database is back, and no acknowledged logout is lost', async () => {
    const living = await Promise.all(Array.from({ length: 5 }, signIn));
    const leaving = await Promise.all(Array.from({ length: 200 }, signIn));
    const delivered: number[] = [];
    const guarded: number[] = [];
    const violations: string[] = [];
    const seen = (statuses: number[], status: number) => statuses.filter((other) => other === status).length;

    /** OneID tries again until it gets 200. */
    const writer = async (logins: readonly Login[]) => {
      for (const login of logins) {
        while (!login.acknowledged && !stopped) delivered.push(await deliver(login));
      }
    };
    const reader = async () => {
      while (!stopped) {
        for (const login of living) {
          const status = await me(login);
          guarded.push(status);
          if (status !== 200 && status !== 503) violations.push(`a living session got ${status}`);
        }
        for (const login of leaving.filter(({ acknowledged }) => acknowledged)) {
          const status = await me(login);
          if (status !== 401 && status !== 503) violations.push(`an acknowledged logout was forgotten: ${status}`);
        }
      }
    };
    traffic = [writer(leaving.slice(0, 100)), writer(leaving.slice(100)), reader()];

    await until('some logouts are recorded', () => seen(delivered, 200) >= 10);
    await postgres.kill(signal);
    const [before] = [guarded.length];
    await until('both answer 503', () => seen(delivered, 503) >= 5 && seen(guarded.slice(before), 503) >= 5);
    expect(seen(delivered, 200)).toBeLessThan(leaving.length);
    await postgres.restart();
    await until('all logouts are recorded', () => leaving.every(({ acknowledged }) => acknowledged));
    stopped = true;
    await Promise.all(traffic);

    expect(violations).toEqual([]);
    expect(new Set(delivered)).toEqual(new Set([200, 503]));
    for (const login of leaving) expect(await me(login)).toBe(401);
    for (const login of living) expect(await me(login)).toBe(200);
    const { logouts, sessions } = await host.stored();
    expect(logouts).toHaveLength(leaving.length);
    expect(sessions).toHaveLength(living.length + leaving.length);
  }, 90_000);
});
