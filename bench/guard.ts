import { hkdfSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { CompactEncrypt } from 'jose';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { fill, sessionTokenOf, sidOf } from './fill.js';
import { browse } from './load.js';
import { inTurns, type Series } from './rounds.js';
import { type ServerProcess } from './server-process.js';
import { type ExpressSettings } from './servers/express-openid-connect.js';
import { type NestSettings } from './servers/nest.js';
import { clientId, type Surroundings } from './surroundings.js';

/** How many sessions the requests take turns with. */
const SESSIONS = 200;
/** Of which one is logged out when all has been measured. */
const LOGGED_OUT = SESSIONS;
const MAX_STALENESS = 500;

/** Seconds. */
const WARM_UP = 2;
const SECRET = 'a secret that is long enough for a benchmark';

export const guardServers = [
  ...(['none', 'noneAgain', 'empty', 'bounded', 'strictSqlite', 'strictPostgres', 'strictMariadb'] as const),
  ...(['express', 'eocSession', 'eocSqlite', 'eocPostgres'] as const),
] as const;
export type GuardServer = (typeof guardServers)[number];

/** What was measured of the servers. MariaDB is left out when the environment names none. */
export type Guards = Readonly<Record<Exclude<GuardServer, 'strictMariadb'>, Series>> & {
  readonly strictMariadb?: Series;
};

/** The servers that are measured with other numbers of connections, too. */
export const compared = ['empty', 'bounded', 'strictSqlite', 'strictPostgres', 'strictMariadb'] as const;
export type Compared = Readonly<Partial<Record<(typeof compared)[number], Series>>>;

type Headers = Readonly<Record<string, string>>;

/** What a guarded page costs beside the same page unguarded, ours and express-openid-connect's. */
export async function measureGuards(around: Surroundings, rounds: number, duration: number): Promise<Guards> {
  const ours = Array.from({ length: SESSIONS }, (_, n) => ({ cookie: `session=${sessionTokenOf(n)}` }));
  const theirs = await Promise.all(ours.map((_, n) => eocCookie(around, n)));
  const headersOf = (name: GuardServer): readonly Headers[] =>
    name.startsWith('eoc') || name === 'express' ? theirs : ours;

  return inTurns(
    rounds,
    () => startServers(around),
    (server, name, { round }) => browse(server, headersOf(name), { duration: round === 0 ? WARM_UP : duration }),
    async (server, name) => {
      if (['bounded', 'strictSqlite', 'strictPostgres', 'strictMariadb'].includes(name)) {
        await endsWithTheLogout(around, server, '/backchannel_logout', {
          cookie: `session=${sessionTokenOf(LOGGED_OUT)}`,
        });
      } else if (name === 'eocSqlite' || name === 'eocPostgres') {
        await endsWithTheLogout(around, server, '/backchannel-logout', await eocCookie(around, LOGGED_OUT));
      }
    },
  );
}

/** The same page with another number of connections, and without the servers of express-openid-connect. */
export async function measureConnections(
  around: Surroundings,
  rounds: number,
  duration: number,
  connections: number,
): Promise<Compared> {
  const headers = Array.from({ length: SESSIONS }, (_, n) => ({ cookie: `session=${sessionTokenOf(n)}` }));
  return inTurns(
    rounds,
    async () => {
      const { empty, bounded, strictSqlite, strictPostgres, strictMariadb, ...others } = await startServers(around);
      for (const server of Object.values(others)) await server.stop();
      return { empty, bounded, strictSqlite, strictPostgres, ...(strictMariadb && { strictMariadb }) };
    },
    (server, _name, { round }) => browse(server, headers, { duration: round === 0 ? WARM_UP : duration, connections }),
  );
}

type GuardProcesses = Record<Exclude<GuardServer, 'strictMariadb'>, ServerProcess> & {
  readonly strictMariadb?: ServerProcess;
};

async function startServers(around: Surroundings): Promise<GuardProcesses> {
  const nest = (settings: NestSettings) => around.start('nest.ts', settings);
  const express = (check: ExpressSettings['check']) => {
    const settings: ExpressSettings = { issuer: around.oneId.issuer, clientId, secret: SECRET, check };
    return around.start('express-openid-connect.ts', settings);
  };
  const filled = async (kind: 'sqlite' | 'postgres' | 'mariadb') => withSessions(around, await around.database(kind));
  return {
    none: await nest({ guard: 'none' }),
    noneAgain: await nest({ guard: 'none' }),
    empty: await nest({ guard: 'empty' }),
    bounded: await nest({
      guard: 'alive',
      options: around.options(await filled('postgres'), { liveness: { maxStalenessMs: MAX_STALENESS } }),
    }),
    strictSqlite: await nest({ guard: 'alive', options: around.options(await filled('sqlite')) }),
    strictPostgres: await nest({ guard: 'alive', options: around.options(await filled('postgres')) }),
    ...(around.mariadb !== undefined && {
      strictMariadb: await nest({ guard: 'alive', options: around.options(await filled('mariadb')) }),
    }),
    express: await express('none'),
    eocSession: await express('session'),
    eocSqlite: await express({ sqlite: around.sqliteFile() }),
    eocPostgres: await express({ postgres: await around.postgresUrl() }),
  };
}

async function withSessions(around: Surroundings, options: SessionDatabaseOptions): Promise<SessionDatabaseOptions> {
  const database = await SessionDatabase.open(options, true);
  await fill(database, 0, LOGGED_OUT + 1, { issuer: around.oneId.issuer, loggedOut: false });
  await database.close();
  return options;
}

/** What express-openid-connect gives a browser: its session is the cookie, encrypted. */
async function eocCookie({ oneId }: Surroundings, n: number): Promise<Headers> {
  const login = oneId.signIn({ sub: `user-${n}`, sid: sidOf(n) });
  const session = { id_token: await oneId.idToken({ clientId, login }) };
  const now = Math.floor(Date.now() / 1000);
  const key = new Uint8Array(hkdfSync('sha256', SECRET, '', 'JWE CEK', 32));
  const cookie = await new CompactEncrypt(Buffer.from(JSON.stringify(session)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', uat: now, iat: now, exp: now + 24 * 60 * 60 })
    .encrypt(key);
  return { cookie: `appSession=${cookie}`, accept: 'application/json' };
}

/** Guards that let everybody in would be measured as well. */
async function endsWithTheLogout(
  { oneId }: Surroundings,
  server: ServerProcess,
  path: string,
  headers: Headers,
): Promise<void> {
  const status = async () => (await fetch(`${server.url}/page`, { headers })).status;
  const before = await status();
  const body = new URLSearchParams({ logout_token: await oneId.logoutToken({ clientId, sid: sidOf(LOGGED_OUT) }) });
  const { status: taken } = await fetch(server.url + path, { method: 'POST', body });
  await delay(MAX_STALENESS);
  const statuses = [before, taken < 300, await status()];
  if (JSON.stringify(statuses) !== '[200,true,401]') throw new Error(`a guard is none: ${JSON.stringify(statuses)}`);
}
