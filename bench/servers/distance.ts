// A TCP proxy in front of a database that is far away: each chunk of data arrives some milliseconds later, each way.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { answerQuestions, settings } from './questions.js';

export interface DistanceSettings {
  readonly host: string;
  readonly port: number;
  /** Of one way, milliseconds. */
  readonly delayMs: number;
}

const { host, port, delayMs } = settings() as DistanceSettings;

const proxy = createServer({ noDelay: true }, (client) => {
  const server = connect({ host, port, noDelay: true });
  forward(client, server);
  forward(server, client);
}).listen(0, '127.0.0.1');
await once(proxy, 'listening');
answerQuestions(`tcp://127.0.0.1:${(proxy.address() as AddressInfo).port}`);

function forward(from: Socket, to: Socket): void {
  // timers with the same delay fire in the order in which they were set, so the chunks keep their order
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), delayMs));
  from.on('end', () => setTimeout(() => to.end(), delayMs));
  // a close event always follows
  from.on('error', () => undefined);
  from.on('close', () => setTimeout(() => to.destroy(), delayMs));
}
