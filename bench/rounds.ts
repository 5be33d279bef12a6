import { type Measurement } from './load.js';

/** What was measured of one server, round by round. */
export type Series = Record<keyof Measurement, number[]>;

/** How often servers are started anew: two processes with the same program may differ for as long as they live. */
const GENERATIONS = 3;

/** A round of 0 is the one that warms up. */
export interface Turn {
  readonly generation: number;
  readonly round: number;
}

interface Stoppable {
  stop(): Promise<void>;
}

/**
 * Measures several servers in turns, each round in another order, so that what else the machine does meets all alike. The
 * first round of each generation warms up.
 */
export async function inTurns<Name extends string, Server extends Stoppable>(
  rounds: number,
  start: () => Promise<Readonly<Partial<Record<Name, Server>>>>,
  measure: (server: Server, name: Name, turn: Turn) => Promise<Measurement>,
  atEnd: (server: Server, name: Name) => Promise<void> = () => Promise.resolve(),
): Promise<Record<Name, Series>> {
  const series = new Map<Name, Series>();
  const generations = Math.min(GENERATIONS, rounds);
  for (let generation = 0; generation < generations; generation++) {
    const servers = await start();
    const running = Object.entries<Server | undefined>(servers).filter(isRunning) as [Name, Server][];
    try {
      const own = Math.ceil((rounds - generation) / generations);
      for (let round = 0; round <= own; round++) {
        for (const [name, server] of [
          ...running.slice(round % running.length),
          ...running.slice(0, round % running.length),
        ]) {
          const measured = await measure(server, name, { generation, round });
          if (round === 0) continue;
          const known = series.get(name) ?? { rate: [], p99: [], cpu: [], statements: [] };
          series.set(name, known);
          for (const figure of ['rate', 'p99', 'cpu', 'statements'] as const) known[figure].push(measured[figure]);
        }
      }
      for (const [name, server] of running) await atEnd(server, name);
    } finally {
      for (const [, server] of running) await server.stop();
    }
  }
  return Object.fromEntries(series) as Record<Name, Series>;
}

function isRunning<Server>(entry: [string, Server | undefined]): entry is [string, Server] {
  return entry[1] !== undefined;
}
