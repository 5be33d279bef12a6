import { AT_ONCE, pathOf, signedTokens, startBackchannelServer } from './back-channel.js';
import { type GuardServer, ourHeaders, startGuardServers } from './guard.js';
import { browse, deliver } from './load.js';
import { type ServerProcess } from './server-process.js';
import { type ProfiledFunction } from './servers/profiler.js';
import { type Surroundings } from './surroundings.js';

const guards: Readonly<Record<string, GuardServer>> = {
  none: 'none',
  empty: 'empty',
  bounded: 'bounded',
  'bounded-measured': 'boundedMeasured',
  'strict-sqlite': 'strictSqlite',
  'strict-postgres': 'strictPostgres',
  'strict-mariadb': 'strictMariadb',
  single: 'singlePostgres',
};
const backchannels = {
  verify: 'verify',
  'back-channel': 'postgres',
  'back-channel-sqlite': 'sqlite',
  'back-channel-mariadb': 'mariadb',
} as const;

const CONNECTIONS = 32;
/** Seconds. */
const WARM_UP = 3;
const DURATION = 8;

/** How many batches of tokens the back-channel gets before the profile, and in it. */
const WARM_UP_BATCHES = 3;
const BATCHES = 8;

const SHOWN = 25;

/** Runs one server under load. @returns tables of the functions and packages that used the most processor time */
export async function profile(around: Surroundings, name: string): Promise<string> {
  const guard = guards[name];
  if (guard !== undefined) return profileGuard(around, guard);
  if (name in backchannels) return profileBackchannel(around, backchannels[name as keyof typeof backchannels]);
  const names = [...Object.keys(guards), ...Object.keys(backchannels)];
  throw new Error(`--profile must be one of ${names.join(', ')}`);
}

async function profileGuard(around: Surroundings, name: GuardServer): Promise<string> {
  const server = (await startGuardServers(around, new Set([name]))).get(name);
  if (server === undefined) throw new Error('This machine has no MariaDB');
  const headers = ourHeaders();
  await browse(server, headers, { connections: CONNECTIONS, duration: WARM_UP });
  return profiled(server, async () => {
    const { rate } = await browse(server, headers, { connections: CONNECTIONS, duration: DURATION });
    return Math.round(rate * DURATION);
  });
}

async function profileBackchannel(
  around: Surroundings,
  name: (typeof backchannels)[keyof typeof backchannels],
): Promise<string> {
  const server = await startBackchannelServer(around, name);
  for (let n = 0; n < WARM_UP_BATCHES; n++) await deliver(server, pathOf(name), await signedTokens(around), AT_ONCE);
  const batches: string[][] = [];
  for (let n = 0; n < BATCHES; n++) batches.push(await signedTokens(around));
  return profiled(server, async () => {
    for (const tokens of batches) await deliver(server, pathOf(name), tokens, AT_ONCE);
    return batches.flat().length;
  });
}

/** @param load returns the number of requests */
async function profiled(server: ServerProcess, load: () => Promise<number>): Promise<string> {
  try {
    await server.ask('startProfile');
    const requests = await load();
    const functions = await server.ask<ProfiledFunction[]>('stopProfile');
    return tableOf(functions, requests);
  } finally {
    await server.stop();
  }
}

function tableOf(functions: readonly ProfiledFunction[], requests: number): string {
  const all = functions.reduce((sum, { selfTime }) => sum + selfTime, 0);
  const row = (selfTime: number, what: string) => {
    const share = ((100 * selfTime) / all).toFixed(1).padStart(5);
    return `${(selfTime / requests).toFixed(2).padStart(8)}  ${share} %  ${what}`;
  };
  const folders = new Map<string, number>();
  for (const { place, selfTime } of functions) {
    const folder = folderOf(place);
    folders.set(folder, (folders.get(folder) ?? 0) + selfTime);
  }
  const byTime = [...folders].sort(([, a], [, b]) => b - a);
  return [
    `${requests} requests, ${(all / requests).toFixed(1)} µs each`,
    '',
    '      µs    share  function: its own time per request',
    ...functions.slice(0, SHOWN).map(({ name, place, selfTime }) => row(selfTime, `${name}  ${place}`)),
    '',
    '      µs    share  package or folder',
    ...byTime.slice(0, SHOWN).map(([folder, selfTime]) => row(selfTime, folder)),
  ].join('\n');
}

/** The package of a file, or its folder in this repository. */
function folderOf(place: string): string {
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1];
  if (inPackage !== undefined) return inPackage;
  if (place === '') return '(engine)';
  return place.startsWith('node:') ? 'node' : place.replace(/\/[^/]*$/, '');
}
