import { randomUUID } from 'node:crypto';
import { deliver } from './load.js';
import { inTurns, type Measured, type Turn } from './rounds.js';
import { type ServerProcess } from './server-process.js';
import { type ExpressSettings } from './servers/express-openid-connect.js';
import { type NestSettings } from './servers/nest.js';
import { type VerifySettings } from './servers/verify.js';
import { clientId, type DatabaseKind, type Surroundings } from './surroundings.js';

/** How many logouts OneID sends at the same time, and how many in a round. */
export const AT_ONCE = 48;
export const TOKENS = 1200;

/** With this option the library keeps tokens, and searches for tokens to revoke when their session has ended. */
const SECRETS = ['a secret that is long enough for a benchmark'];

export const backchannelServers = [
  ...(['verify', 'sqlite', 'postgres', 'mariadb', 'sqliteTokens', 'postgresTokens'] as const),
  ...(['eocMemory', 'eocSqlite', 'eocPostgres'] as const),
] as const;
export type BackchannelServer = (typeof backchannelServers)[number];

export const LOAD = 'logouts';

/** Measures how many logouts per second a back-channel takes, beside a server that verifies them and stores nothing. */
export async function measureBackchannels(around: Surroundings, rounds: number): Promise<Measured<BackchannelServer>> {
  // the same tokens for all servers of a round, each with a store of its own
  let signedFor = '';
  let tokens: readonly string[] = [];
  const tokensOf = async ({ generation, round }: Turn) => {
    const turn = `${generation} ${round}`;
    if (turn !== signedFor) tokens = await signedTokens(around);
    signedFor = turn;
    return tokens;
  };
  const delivered = new Map<ServerProcess, number>();
  return inTurns({
    rounds,
    start: (names) => startServers(around, names),
    cases: backchannelServers.map((server) => ({ server, load: LOAD })),
    async measure(server, { server: name }, turn) {
      const measurement = await deliver(server, pathOf(name), await tokensOf(turn), AT_ONCE);
      delivered.set(server, (delivered.get(server) ?? 0) + TOKENS);
      return measurement;
    },
    async atEnd(server, name) {
      if (!isOurs(name)) return;
      const stored = await server.ask<number>('logouts');
      const expected = delivered.get(server);
      if (stored !== expected) throw new Error(`${expected} logouts were answered, but ${stored} are on record`);
    },
  });
}

export const isOurs = (name: BackchannelServer) => name !== 'verify' && !name.startsWith('eoc');

export const pathOf = (name: BackchannelServer) =>
  name.startsWith('eoc') ? '/backchannel-logout' : '/backchannel_logout';

async function startServers(
  around: Surroundings,
  names: ReadonlySet<BackchannelServer>,
): Promise<ReadonlyMap<BackchannelServer, ServerProcess>> {
  const servers = new Map<BackchannelServer, ServerProcess>();
  for (const name of names) {
    if (around.mariadb === undefined && name === 'mariadb') continue;
    servers.set(name, await startBackchannelServer(around, name));
  }
  return servers;
}

export async function startBackchannelServer(around: Surroundings, name: BackchannelServer): Promise<ServerProcess> {
  const { issuer } = around.oneId;
  const ours = async (kind: DatabaseKind, secrets: readonly string[] = []) => {
    const options = around.options(await around.database(kind), { secrets });
    const settings: NestSettings = { guard: 'none', options };
    return around.start('nest.ts', settings);
  };
  const theirs = (check: ExpressSettings['check']) => {
    const settings: ExpressSettings = { issuer, clientId, secret: 'a secret that is long enough', check };
    return around.start('express-openid-connect.ts', settings);
  };
  switch (name) {
    case 'verify': {
      const settings: VerifySettings = { issuer, jwksUri: around.oneId.url('/.well-known/jwks.json'), clientId };
      return around.start('verify.ts', settings);
    }
    case 'sqlite':
    case 'postgres':
    case 'mariadb':
      return ours(name);
    case 'sqliteTokens':
      return ours('sqlite', SECRETS);
    case 'postgresTokens':
      return ours('postgres', SECRETS);
    case 'eocMemory':
      return theirs('memory');
    case 'eocSqlite':
      return theirs({ sqlite: around.sqliteFile() });
    case 'eocPostgres':
      return theirs({ postgres: await around.postgresUrl() });
  }
}

/** Signs logout tokens as OneID does: each names another login by its sid. */
export async function signedTokens({ oneId }: Surroundings): Promise<string[]> {
  const tokens: string[] = [];
  for (let n = 0; n < TOKENS; n++) tokens.push(await oneId.logoutToken({ clientId, sid: randomUUID() }));
  return tokens;
}
