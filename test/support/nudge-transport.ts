import { type Transform } from 'node:stream';
import { type SharedDatabase } from './databases.js';
import { NotificationFilter } from './notification-filter.js';
import { TcpProxy } from './tcp-proxy.js';

/** How replicas nudge each other, in a way that can fail. */
export interface NudgeLine {
  readonly nudge: SharedDatabase['nudge'];
  /** Of what replicas hear from their database, where nudges come from there. */
  readonly filter?: () => Transform;
  /** The ways in which nudges get lost, by name. */
  readonly failures: Readonly<Record<string, () => void>>;
  mend(): void;
  stop(): Promise<void>;
}

export async function startNudgeLine({ nudge }: SharedDatabase): Promise<NudgeLine> {
  return nudge === 'postgres' ? overPostgres() : overRedis(await TcpProxy.start(nudge.redis));
}

function overPostgres(): NudgeLine {
  let lost = false;
  return {
    nudge: 'postgres',
    filter: () => new NotificationFilter(() => lost),
    failures: { 'no notification arrives': () => (lost = true) },
    mend: () => (lost = false),
    stop: () => Promise.resolve(),
  };
}

const overRedis = (line: TcpProxy): NudgeLine => ({
  nudge: { redis: line.url },
  failures: {
    'Redis is not there': () => {
      line.refuse();
    },
    'Redis is silent': () => {
      line.silence();
    },
  },
  mend: () => {
    line.mend();
  },
  stop: () => line.stop(),
});
