import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { IdleLimit } from '../libs/oneid-logout/src/rule/idle-limit.js';
import { median, medianInterval, ratios, show } from './figures.js';
import { CONNECTIONS, DURATION, MOST_DIFFERENCE, MOST_ROUNDS, ourHeaders, WARM_UP, withSessions } from './guard.js';
import { browse } from './load.js';
import { MAX_STALENESS } from './propagation.js';
import { inTurns, type Measured } from './rounds.js';
import { type ServerProcess } from './server-process.js';
import { type NestSettings } from './servers/nest.js';
import { type Surroundings } from './surroundings.js';

/**
 * How often servers are started anew: the option adds less to a request than the difference between two processes with
 * the same program, which lasts for as long as they live.
 */
const GENERATIONS = 12;

/** Sessions that are busy at once: the requests of a load carry them in turns. */
const BUSY_SESSIONS = 10_000;

/** Each guard without the option, once more without it, and with it. */
const GROUPS = [
  { title: 'bounded', liveness: { maxStalenessMs: MAX_STALENESS }, names: names('bounded') },
  { title: 'strict, PostgreSQL', liveness: 'strict', names: names('strict') },
] as const;

/**
 * The option `maxIdleSeconds`: 30 minutes for an app that is always busy. A server of the comparison is busy in one turn
 * of many, and uses become due in all of them. So its limit is as many times longer: in a second of load, as many uses are
 * due as in an app that is always busy.
 */
const MAX_IDLE_SECONDS = 30 * 60 * GROUPS.flatMap(({ names }) => Object.values(names)).length;

type IdleServer = `${'bounded' | 'strict'}${'Off' | 'OffAgain' | 'On'}`;

function names<Guard extends 'bounded' | 'strict'>(guard: Guard) {
  return { off: `${guard}Off`, offAgain: `${guard}OffAgain`, on: `${guard}On` } as const;
}

/**
 * Compares processor time per request with `maxIdleSeconds` and without, at {@link BUSY_SESSIONS}. The servers take
 * turns, round by round; with more rounds if two servers without the option differ too much.
 */
export async function compareIdleness(around: Surroundings, rounds: number): Promise<string> {
  const headers = ourHeaders(BUSY_SESSIONS);
  const cases = GROUPS.flatMap(({ names: { off, offAgain, on } }): IdleServer[] => [off, offAgain, on]).map(
    (server) => ({ server, load: 'some' }) as const,
  );
  const measured = await inTurns({
    rounds,
    generations: GENERATIONS,
    start: (servers: ReadonlySet<IdleServer>) => startServers(around, servers),
    cases,
    measure: (server, _one, { round }) =>
      browse(server, headers, { connections: CONNECTIONS.some, duration: round === 0 ? WARM_UP : DURATION }),
    more: {
      cases,
      limit: Math.ceil(rounds * MOST_ROUNDS),
      isSteady: (all) => GROUPS.every(({ names }) => differenceOfEquals(all, names) <= MOST_DIFFERENCE),
    },
  });
  return GROUPS.map(({ title, names }) => {
    const cpu = (name: IdleServer) => measured.of(name, 'some').cpu;
    const without = cpu(names.off).map((one, n) => (one + (cpu(names.offAgain)[n] ?? NaN)) / 2);
    const compared = medianInterval(ratios(cpu(names.on), without));
    const error = (100 * differenceOfEquals(measured, names)).toFixed(1);
    const statements = median(measured.of(names.on, 'some').statements).toFixed(4);
    return (
      `${title}: processor time per request with maxIdleSeconds, times the mean of two servers without: ` +
      `${show(compared, 3)}; these two differ by ${error} %; ${statements} statements per request with it, ` +
      `${median(measured.of(names.off, 'some').statements).toFixed(4)} without`
    );
  }).join('\n');
}

function differenceOfEquals(
  measured: Measured<IdleServer>,
  { off, offAgain }: (typeof GROUPS)[number]['names'],
): number {
  return Math.abs(median(ratios(measured.of(offAgain, 'some').cpu, measured.of(off, 'some').cpu)) - 1);
}

async function startServers(
  around: Surroundings,
  servers: ReadonlySet<IdleServer>,
): Promise<ReadonlyMap<IdleServer, ServerProcess>> {
  const started = new Map<IdleServer, ServerProcess>();
  // each server has a database of its own with the same facts, so that the option is the only difference
  const busySessions = async () =>
    spreadUses(await withSessions(around, await around.database('postgres'), BUSY_SESSIONS));
  for (const { liveness, names } of GROUPS) {
    for (const name of Object.values(names)) {
      if (!servers.has(name)) continue;
      const options = around.options(await busySessions(), { liveness });
      const settings: NestSettings = {
        guard: 'alive',
        options: name === names.on ? { ...options, maxIdleSeconds: MAX_IDLE_SECONDS } : options,
      };
      started.set(name, await around.start('nest.ts', settings));
    }
  }
  return started;
}

/** Makes the uses of the sessions due one after the other, as in an app that has been busy for long. */
async function spreadUses(options: SessionDatabaseOptions): Promise<SessionDatabaseOptions> {
  const { step, spread } = new IdleLimit(MAX_IDLE_SECONDS * 1000);
  const database = await SessionDatabase.open(options, false);
  await database.run(
    `UPDATE ${database.tables.session} SET registered_at = registered_at - floor(random() * ${step + spread})`,
  );
  await database.close();
  return options;
}
