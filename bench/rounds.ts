import { type Measurement } from './load.js';

/** The measurements of one server under one load, round by round. */
export type Series = Record<keyof Measurement, number[]>;

/**
 * How often servers are started anew, unless the plan says otherwise: two processes with the same program may differ for
 * as long as they live.
 */
const GENERATIONS = 3;

/** A server, and the load under which it is measured. */
export interface Case<Name extends string> {
  readonly server: Name;
  readonly load: string;
}

/** Round 0 of each generation warms the servers up, each under its first load. */
export interface Turn {
  readonly generation: number;
  readonly round: number;
}

interface Stoppable {
  stop(): Promise<void>;
}

export interface Plan<Name extends string, Server extends Stoppable, C extends Case<Name>> {
  readonly rounds: number;
  /** How often servers are started anew. */
  readonly generations?: number;
  /** Starts servers. The cases of a server that it does not start are left out. */
  start(names: ReadonlySet<Name>): Promise<ReadonlyMap<Name, Server>>;
  /** The loads follow each other. The servers of one load take turns, in another order in each round. */
  readonly cases: readonly C[];
  measure(server: Server, one: C, turn: Turn): Promise<Measurement>;
  /** Checks a server after its last round. */
  atEnd?(server: Server, name: Name): Promise<void>;
  /** More rounds with some of the cases, as long as the figures are not steady. */
  readonly more?: {
    readonly cases: readonly C[];
    /** The most rounds in all. */
    readonly limit: number;
    isSteady(measured: Measured<Name>): boolean;
  };
}

/** All series of a run, by server and load. */
export class Measured<Name extends string> {
  private readonly series = new Map<string, Series>();

  add({ server, load }: Case<Name>, measurement: Measurement): void {
    const key = JSON.stringify([server, load]);
    const series = this.series.get(key) ?? { rate: [], p50: [], p99: [], cpu: [], statements: [] };
    this.series.set(key, series);
    for (const figure of Object.keys(series) as (keyof Measurement)[]) series[figure].push(measurement[figure]);
  }

  has(server: Name, load: string): boolean {
    return this.series.has(JSON.stringify([server, load]));
  }

  of(server: Name, load: string): Series {
    const series = this.series.get(JSON.stringify([server, load]));
    if (series === undefined) throw new Error(`${server} was not measured under the load ${load}`);
    return series;
  }
}

/**
 * Measures several servers in turns, so that other work of the machine meets all of them alike. The first round of each
 * generation warms up.
 */
export async function inTurns<Name extends string, Server extends Stoppable, C extends Case<Name>>(
  plan: Plan<Name, Server, C>,
): Promise<Measured<Name>> {
  const { rounds, more } = plan;
  const measured = new Measured<Name>();
  const generations = Math.min(plan.generations ?? GENERATIONS, rounds);
  let done = 0;
  let generation = 0;
  for (; done < rounds; generation++) {
    const own = Math.ceil((rounds - done) / (generations - generation));
    await runGeneration(plan, plan.cases, own, generation, measured);
    done += own;
  }
  for (; more !== undefined && done < more.limit && !more.isSteady(measured); generation++) {
    const own = Math.min(Math.ceil(rounds / generations), more.limit - done);
    await runGeneration(plan, more.cases, own, generation, measured);
    done += own;
  }
  return measured;
}

async function runGeneration<Name extends string, Server extends Stoppable, C extends Case<Name>>(
  plan: Plan<Name, Server, C>,
  all: readonly C[],
  rounds: number,
  generation: number,
  measured: Measured<Name>,
): Promise<void> {
  const servers = await plan.start(new Set(all.map(({ server }) => server)));
  const cases = all.filter(({ server }) => servers.has(server));
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const one of orderOf(round === 0 ? firstOfEach(cases) : cases, generation + round)) {
        const server = servers.get(one.server);
        if (server === undefined) continue;
        const measurement = await plan.measure(server, one, { generation, round });
        if (round > 0) measured.add(one, measurement);
      }
    }
    for (const [name, server] of servers) await plan.atEnd?.(server, name);
  } finally {
    for (const server of servers.values()) await server.stop();
  }
}

function firstOfEach<C extends Case<string>>(cases: readonly C[]): C[] {
  return cases.filter((one) => cases.find(({ server }) => server === one.server) === one);
}

/** Another server begins in each round, and every second round goes backwards. The loads keep their order. */
function orderOf<C extends Case<string>>(cases: readonly C[], round: number): C[] {
  const loads = [...new Set(cases.map(({ load }) => load))];
  return loads.flatMap((load) => {
    const own = cases.filter((one) => one.load === load);
    const turned = own.map((_, n) => own[(n + round) % own.length] as C);
    return round % 2 === 0 ? turned : turned.reverse();
  });
}
