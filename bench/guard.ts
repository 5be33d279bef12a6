import { hkdfSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { CompactEncrypt } from 'jose';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { median, ratios } from './figures.js';
import { fill, sessionTokenOf, sidOf } from './fill.js';
import { browse } from './load.js';
import { MAX_STALENESS } from './propagation.js';
import { type Case, inTurns, type Measured } from './rounds.js';
import { type ServerProcess } from './server-process.js';
import { type ExpressSettings } from './servers/express-openid-connect.js';
import { type NestSettings } from './servers/nest.js';
import { clientId, type DatabaseKind, type Surroundings } from './surroundings.js';

/** The requests of a load carry this many sessions, in turns. */
const SESSIONS = 200;
/** The number of one more session, which is logged out after the last round. */
const LOGGED_OUT = SESSIONS;

/** Of one server under one load in one round, seconds: short, so that the other servers meet the same machine. */
export const DURATION = 0.6;
/** The same before the first round. */
export const WARM_UP = 1.5;
/** The answers of a distant database come in waves, so a measurement needs more of them. */
const FAR_DURATION = 1;
const SECRET = 'a secret that is long enough for a benchmark';

/** Two servers without a guard may differ by this share. If they differ by more, the bench runs more rounds. */
export const MOST_DIFFERENCE = 0.03;
/** The most rounds in all, as a multiple of the planned rounds. */
export const MOST_ROUNDS = 1.5;

export const nestServers = [
  ...(['none', 'noneAgain', 'empty', 'bounded', 'strictSqlite', 'strictPostgres', 'strictMariadb'] as const),
  'singlePostgres',
] as const;
export const farServers = ['farPostgres', 'farMariadb', 'farSingle'] as const;
export const expressServers = ['express', 'eocSession', 'eocSqlite', 'eocPostgres'] as const;
/** The same with metrics: only for the comparison of `metrics.ts`. */
export const measuredServers = ['boundedMeasured', 'strictPostgresMeasured'] as const;
export type GuardServer = (
  typeof nestServers | typeof farServers | typeof expressServers | typeof measuredServers
)[number];

/**
 * Closed loops with 1, 32 and 128 connections; and `rate`: a fixed rate over 32 connections, half of the rate of the
 * closed loop without a guard in the same round.
 */
export type Load = 'one' | 'some' | 'many' | 'rate';

export const CONNECTIONS: Readonly<Record<Load, number>> = { one: 1, some: 32, many: 128, rate: 32 };

interface GuardCase extends Case<GuardServer> {
  readonly load: Load;
}

const casesOf = (load: Load, servers: readonly GuardServer[]): GuardCase[] =>
  servers.map((server) => ({ server, load }));

/** The fixed rate needs the rate of the closed loop with 32 connections, so this loop comes first. */
const CASES: readonly GuardCase[] = [
  ...casesOf('some', [...nestServers, ...expressServers, ...farServers]),
  ...casesOf('one', nestServers),
  ...casesOf('many', [...nestServers, ...farServers]),
  ...casesOf('rate', nestServers),
];

const isExpress = (name: GuardServer) => (expressServers as readonly GuardServer[]).includes(name);
export const isFar = (name: GuardServer) => (farServers as readonly GuardServer[]).includes(name);

/** Guards that obey no logout, and pages without a guard. */
const WITHOUT_LOGOUT: readonly GuardServer[] = ['none', 'noneAgain', 'empty', 'express', 'eocSession'];

type Headers = Readonly<Record<string, string>>;

/** Measures a guarded page and the same page without a guard: our guard, and express-openid-connect's. */
export async function measureGuards(around: Surroundings, rounds: number): Promise<Measured<GuardServer>> {
  const ours = ourHeaders();
  const theirs = await Promise.all(ours.map((_, n) => eocCookie(around, n)));
  /** Of the closed loop in this round. */
  let unguardedRate = NaN;

  return inTurns({
    rounds,
    start: (names) => startGuardServers(around, names),
    cases: CASES,
    async measure(server, { server: name, load }, { round }) {
      const measurement = await browse(server, isExpress(name) ? theirs : ours, {
        connections: CONNECTIONS[load],
        duration: round === 0 ? WARM_UP : isFar(name) ? FAR_DURATION : DURATION,
        ...(load === 'rate' && { rate: unguardedRate / 2 }),
      });
      if (name === 'none' && load === 'some') unguardedRate = measurement.rate;
      return measurement;
    },
    async atEnd(server, name) {
      if (WITHOUT_LOGOUT.includes(name)) return;
      if (isExpress(name)) {
        await endsWithTheLogout(around, server, '/backchannel-logout', await eocCookie(around, LOGGED_OUT));
      } else {
        await endsWithTheLogout(around, server, '/backchannel_logout', ourHeadersOf(LOGGED_OUT));
      }
    },
    more: {
      cases: casesOf('some', nestServers),
      limit: Math.ceil(rounds * MOST_ROUNDS),
      isSteady: (measured) => differenceOfEquals(measured) <= MOST_DIFFERENCE,
    },
  });
}

/** The share by which the processor times of the two servers without a guard differ: the median over the rounds. */
export function differenceOfEquals(measured: Measured<GuardServer>): number {
  return Math.abs(median(ratios(measured.of('noneAgain', 'some').cpu, measured.of('none', 'some').cpu)) - 1);
}

export function ourHeaders(sessions = SESSIONS): Headers[] {
  return Array.from({ length: sessions }, (_, n) => ourHeadersOf(n));
}

const ourHeadersOf = (n: number): Headers => ({ cookie: `session=${sessionTokenOf(n)}` });

/** Starts these servers; on a machine without MariaDB, only the ones that need none. */
export async function startGuardServers(
  around: Surroundings,
  names: ReadonlySet<GuardServer>,
): Promise<ReadonlyMap<GuardServer, ServerProcess>> {
  const servers = new Map<GuardServer, ServerProcess>();
  for (const name of names) {
    if (around.mariadb === undefined && name.endsWith('Mariadb')) continue;
    servers.set(name, await startGuardServer(around, name));
  }
  return servers;
}

async function startGuardServer(around: Surroundings, name: GuardServer): Promise<ServerProcess> {
  const nest = (settings: NestSettings) => around.start('nest.ts', settings);
  const express = (check: ExpressSettings['check']) => {
    const settings: ExpressSettings = { issuer: around.oneId.issuer, clientId, secret: SECRET, check };
    return around.start('express-openid-connect.ts', settings);
  };
  const strict = async (kind: DatabaseKind, metrics = false) => {
    const options = around.options(await withSessions(around, await around.database(kind)));
    return nest({ guard: 'alive', options, metrics });
  };
  const bounded = async (metrics: boolean) => {
    const database = await withSessions(around, await around.database('postgres'));
    const options = around.options(database, { liveness: { maxStalenessMs: MAX_STALENESS } });
    return nest({ guard: 'alive', options, metrics });
  };
  const single = async (far: boolean) => {
    const near = await around.postgresUrl();
    await withSessions(around, { type: 'postgres', url: near });
    const url = far ? await around.atDistance(near) : near;
    return nest({ guard: 'alive', options: around.options({ type: 'postgres', url }), singleChecks: url });
  };
  const far = async (kind: 'postgres' | 'mariadb') => {
    const { url } = (await withSessions(around, await around.database(kind))) as { readonly url?: string };
    if (url === undefined) throw new Error('A distant database needs a URL');
    return nest({ guard: 'alive', options: around.options({ type: kind, url: await around.atDistance(url) }) });
  };
  switch (name) {
    case 'none':
    case 'noneAgain':
      return nest({ guard: 'none' });
    case 'empty':
      return nest({ guard: 'empty' });
    case 'bounded':
      return bounded(false);
    case 'boundedMeasured':
      return bounded(true);
    case 'strictSqlite':
      return strict('sqlite');
    case 'strictPostgres':
      return strict('postgres');
    case 'strictPostgresMeasured':
      return strict('postgres', true);
    case 'strictMariadb':
      return strict('mariadb');
    case 'singlePostgres':
      return single(false);
    case 'farPostgres':
      return far('postgres');
    case 'farMariadb':
      return far('mariadb');
    case 'farSingle':
      return single(true);
    case 'express':
      return express('none');
    case 'eocSession':
      return express('session');
    case 'eocSqlite':
      return express({ sqlite: around.sqliteFile() });
    case 'eocPostgres':
      return express({ postgres: await around.postgresUrl() });
  }
}

/** Stores the sessions in an empty database. */
export async function withSessions(
  around: Surroundings,
  options: SessionDatabaseOptions,
  sessions = LOGGED_OUT + 1,
): Promise<SessionDatabaseOptions> {
  const database = await SessionDatabase.open(options, true);
  await fill(database, 0, sessions, { issuer: around.oneId.issuer, loggedOut: false });
  await database.close();
  return options;
}

/** The cookie that express-openid-connect gives a browser: its session, encrypted. */
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

/** Checks that the guard obeys a logout: a guard that lets every request in would be fast, too. */
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
  if (JSON.stringify(statuses) !== '[200,true,401]') {
    throw new Error(`A guard does not obey a logout: ${JSON.stringify(statuses)}`);
  }
}
