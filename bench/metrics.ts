import { medianInterval, ratios, show } from './figures.js';
import { CONNECTIONS, DURATION, type GuardServer, ourHeaders, startGuardServers, WARM_UP } from './guard.js';
import { browse } from './load.js';
import { inTurns } from './rounds.js';
import { type Surroundings } from './surroundings.js';

/** Each guard without metrics, and with metrics that an SDK collects every second. */
const PAIRS = [
  { title: 'bounded', off: 'bounded', on: 'boundedMeasured' },
  { title: 'strict, PostgreSQL', off: 'strictPostgres', on: 'strictPostgresMeasured' },
] as const satisfies readonly { readonly title: string; readonly off: GuardServer; readonly on: GuardServer }[];

/** Compares processor time per request with metrics and without. The servers take turns, round by round. */
export async function compareMetrics(around: Surroundings, rounds: number): Promise<string> {
  const headers = ourHeaders();
  const measured = await inTurns({
    rounds,
    start: (names: ReadonlySet<GuardServer>) => startGuardServers(around, names),
    cases: PAIRS.flatMap(({ off, on }): GuardServer[] => [off, on]).map((server) => ({
      server,
      load: 'some' as const,
    })),
    measure: (server, { load }, { round }) =>
      browse(server, headers, { connections: CONNECTIONS[load], duration: round === 0 ? WARM_UP : DURATION }),
  });
  return PAIRS.map(({ title, off, on }) => {
    const cpu = ratios(measured.of(on, 'some').cpu, measured.of(off, 'some').cpu);
    return `${title}: processor time per request with metrics, times without: ${show(medianInterval(cpu), 3)}`;
  }).join('\n');
}
