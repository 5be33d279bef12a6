import autocannon from 'autocannon';
import { quantile } from './figures.js';
import { HttpLoad, type LoadResult } from './http-load.js';
import { type ServerProcess } from './server-process.js';

/** How often autocannon checks whether it has finished, milliseconds. Its types lack this option. */
const OFTEN = { sampleInt: 50 };

/** How long a server answers before its measurement, seconds: it has slept while the others had their turns. */
const RUN_IN = 0.1;

/** The figures of one server under one load. */
export interface Measurement {
  /** Requests per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Processor time of the server per request, microseconds. */
  readonly cpu: number;
  /** Statements that the server sends to its database, per request. Zero if the server does not count them. */
  readonly statements: number;
}

export interface BrowseSettings {
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  /** Requests per second; without it, each connection sends its next request at once. */
  readonly rate?: number;
}

/** Requests the page for some seconds. The server must answer every request with 200. */
export async function browse(
  server: ServerProcess,
  headers: readonly Readonly<Record<string, string>>[],
  { connections, duration, rate }: BrowseSettings,
): Promise<Measurement> {
  const load = await HttpLoad.open(server.url, '/page', headers, connections);
  try {
    await load.closedLoop(RUN_IN);
    return await measure(server, () =>
      rate === undefined ? load.closedLoop(duration) : load.fixedRate(duration, rate),
    );
  } finally {
    load.close();
  }
}

/** Posts each logout token once, over this number of connections. */
export function deliver(
  server: ServerProcess,
  path: string,
  tokens: readonly string[],
  connections: number,
): Promise<Measurement> {
  const share = Math.ceil(tokens.length / connections);
  const requests = tokens.map((token) => ({
    ...{ method: 'POST' as const, path },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `logout_token=${token}`,
  }));
  let first = 0;
  return measure(server, () =>
    fire({
      ...OFTEN,
      ...{ url: server.url, connections, amount: tokens.length },
      setupClient: (client) => {
        client.setRequests(requests.slice(first, (first += share)));
      },
    }),
  );
}

async function fire(options: autocannon.Options): Promise<LoadResult> {
  const latencies: number[] = [];
  const began = performance.now();
  let ended = began;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(options, (error: unknown, done) => {
      if (error instanceof Error) reject(error);
      else resolve(done);
    });
    instance.on('response', (_client, _status, _bytes, milliseconds) => {
      latencies.push(milliseconds);
      ended = performance.now();
    });
  });
  if (result.non2xx > 0 || result.errors > 0 || result['2xx'] === 0) {
    const codes = JSON.stringify(result.statusCodeStats);
    throw new Error(`The server did not answer as it should: ${codes}, ${result.errors} errors`);
  }
  return { seconds: (ended - began) / 1000, latencies };
}

async function measure(server: ServerProcess, load: () => Promise<LoadResult>): Promise<Measurement> {
  const before = await server.usage();
  const { seconds, latencies } = await load();
  const after = await server.usage();
  const requests = latencies.length;
  return {
    rate: requests / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpu: (after.cpu - before.cpu) / requests,
    statements: (after.statements - before.statements) / requests,
  };
}
