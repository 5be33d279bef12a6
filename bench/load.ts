import autocannon from 'autocannon';
import { type ServerProcess } from './server-process.js';

/** How often autocannon looks whether it is done, milliseconds; its types do not know of it. */
const OFTEN = { sampleInt: 50 };

/** Requests. */
const RUN_IN = 500;

/** How a server did under load. */
export interface Measurement {
  /** Requests per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Processor time of the server per request, microseconds. */
  readonly cpu: number;
  /** Statements that the library has sent, per request. */
  readonly statements: number;
}

/** As many requests as the server answers in some seconds, all of which it must answer with 200. */
export async function browse(
  server: ServerProcess,
  headers: readonly Readonly<Record<string, string>>[],
  { duration, connections = 32 }: { readonly duration: number; readonly connections?: number },
): Promise<Measurement> {
  const requests = headers.map((own) => ({ method: 'GET' as const, path: '/page', headers: { ...own } }));
  // a server that has slept while others had their turn has to get going first
  await autocannon({ ...OFTEN, url: server.url, connections, requests, amount: RUN_IN });
  return measure(server, { connections, duration, requests });
}

/** Posts each logout token once, so many at a time. */
export async function deliver(
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
  return measure(server, {
    ...{ connections, amount: tokens.length },
    setupClient: (client) => {
      client.setRequests(requests.slice(first, (first += share)));
    },
  });
}

async function measure(server: ServerProcess, options: Omit<autocannon.Options, 'url'>): Promise<Measurement> {
  const before = await server.cpu();
  const sent = await server.ask<number>('statements');
  const result = await autocannon({ url: server.url, ...OFTEN, ...options });
  const cpu = (await server.cpu()) - before;
  const statements = (await server.ask<number>('statements')) - sent;
  const answered = result['2xx'];
  if (result.non2xx > 0 || result.errors > 0 || answered === 0) {
    const codes = JSON.stringify(result.statusCodeStats);
    throw new Error(`the server did not answer as it should: ${codes}, ${result.errors} errors`);
  }
  const seconds = (result.finish.getTime() - result.start.getTime()) / 1000;
  return { rate: answered / seconds, p99: result.latency.p99, cpu: cpu / answered, statements: statements / answered };
}
