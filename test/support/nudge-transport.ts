import { type Transform } from 'node:stream';
import { type SharedDatabase } from './databases.js';
import { NotificationFilter } from './notification-filter.js';
import { TcpProxy } from './tcp-proxy.js';

/** The transport for the replicas' nudges. A test can make it fail. */
export interface NudgeTransport {
  readonly nudge: SharedDatabase['nudge'];
  /** Filters the data from the database, when the database carries the nudges. */
  readonly filter?: () => Transform;
  /** Functions that make nudges get lost, by the name of the failure. */
  readonly failures: Readonly<Record<string, () => void>>;
  /** Ends the failure. */
  mend(): void;
  stop(): Promise<void>;
}

export async function startNudgeTransport({ nudge }: SharedDatabase): Promise<NudgeTransport> {
  return nudge === 'postgres' ? overPostgres() : overRedis(await TcpProxy.start(nudge.redis));
}

function overPostgres(): NudgeTransport {
  let lost = false;
  return {
    nudge: 'postgres',
    filter: () => new NotificationFilter(() => lost),
    failures: { 'no notification arrives': () => (lost = true) },
    mend: () => (lost = false),
    stop: () => Promise.resolve(),
  };
}

const overRedis = (proxy: TcpProxy): NudgeTransport => ({
  nudge: { redis: proxy.url },
  failures: {
    'Redis refuses connections': () => {
      proxy.refuse();
    },
    'Redis does not answer': () => {
      proxy.silence();
    },
  },
  mend: () => {
    proxy.mend();
  },
  stop: () => proxy.stop(),
});
