import { randomUUID } from 'node:crypto';
import { deliver } from './load.js';
import { inTurns, type Series, type Turn } from './rounds.js';
import { type ServerProcess } from './server-process.js';
import { type ExpressSettings } from './servers/express-openid-connect.js';
import { type NestSettings } from './servers/nest.js';
import { type VerifySettings } from './servers/verify.js';
import { clientId, type Surroundings } from './surroundings.js';

/** How many logouts OneID has on the way at once, and how many it sends in a round. */
export const AT_ONCE = 48;
export const TOKENS = 1200;

/** With which tokens are kept, and looked for when their session ends, to be revoked. */
const SECRETS = ['a secret that is long enough for a benchmark'];

export const backchannelServers = [
  ...(['verify', 'sqlite', 'postgres', 'sqliteTokens', 'postgresTokens'] as const),
  ...(['eocMemory', 'eocSqlite', 'eocPostgres'] as const),
] as const;
export type BackchannelServer = (typeof backchannelServers)[number];

/** How many logouts per second a back-channel takes, beside one that verifies them and stores nothing. */
export async function measureBackchannels(
  around: Surroundings,
  rounds: number,
): Promise<Record<BackchannelServer, Series>> {
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
  return inTurns(
    rounds,
    () => startServers(around),
    async (server, name, turn) => {
      const path = name.startsWith('eoc') ? '/backchannel-logout' : '/backchannel_logout';
      const measurement = await deliver(server, path, await tokensOf(turn), AT_ONCE);
      delivered.set(server, (delivered.get(server) ?? 0) + TOKENS);
      return measurement;
    },
    async (server, name) => {
      if (name === 'verify' || name.startsWith('eoc')) return;
      const stored = await server.ask<number>('logouts');
      const expected = delivered.get(server);
      if (stored !== expected) throw new Error(`of ${expected} logouts that were answered ${stored} are on record`);
    },
  );
}

async function startServers(around: Surroundings): Promise<Record<BackchannelServer, ServerProcess>> {
  const { issuer } = around.oneId;
  const verify: VerifySettings = { issuer, jwksUri: around.oneId.url('/.well-known/jwks.json'), clientId };
  const ours = async (kind: 'sqlite' | 'postgres', secrets: readonly string[] = []) => {
    const options = around.options(await around.database(kind), { secrets });
    const settings: NestSettings = { guard: 'none', options };
    return around.start('nest.ts', settings);
  };
  const theirs = (check: ExpressSettings['check']) => {
    const settings: ExpressSettings = { issuer, clientId, secret: 'a secret that is long enough', check };
    return around.start('express-openid-connect.ts', settings);
  };
  return {
    verify: await around.start('verify.ts', verify),
    sqlite: await ours('sqlite'),
    postgres: await ours('postgres'),
    sqliteTokens: await ours('sqlite', SECRETS),
    postgresTokens: await ours('postgres', SECRETS),
    eocMemory: await theirs('memory'),
    eocSqlite: await theirs({ sqlite: around.sqliteFile() }),
    eocPostgres: await theirs({ postgres: await around.postgresUrl() }),
  };
}

/** As OneID sends them: each of another login, which it names by its sid. */
async function signedTokens({ oneId }: Surroundings): Promise<string[]> {
  const tokens: string[] = [];
  for (let n = 0; n < TOKENS; n++) tokens.push(await oneId.logoutToken({ clientId, sid: randomUUID() }));
  return tokens;
}
