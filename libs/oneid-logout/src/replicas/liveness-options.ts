import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { fill, IsOptional, isRecord, Predicate } from '../option-checks.js';
import { type RedisConnection } from './redis-nudges.js';

const IsNudge = () =>
  Predicate(
    'isNudge',
    "must be 'postgres', or { redis } with a redis: or rediss: URL or options of ioredis, and optionally a channel",
    (value) => value === 'postgres' || isRedisNudge(value),
  );

function isRedisNudge(value: unknown): boolean {
  if (!isRecord(value) || !Object.keys(value).every((name) => name === 'redis' || name === 'channel')) return false;
  const { redis, channel = 'any' } = value;
  if (typeof channel !== 'string' || channel === '') return false;
  return isRecord(redis) || (typeof redis === 'string' && /^rediss?:\/\//.test(redis) && URL.canParse(redis));
}

/**
 * Nudges between replicas over Redis pub/sub, with the package `ioredis`.
 *
 * @category Set-up
 */
export interface RedisNudgeOptions {
  /** A URL (`redis:` or `rediss:`), or options of `ioredis`. */
  readonly redis: RedisConnection;
  /**
   * The pub/sub channel. Give each database its own channel: on a shared channel, apps of different databases make each
   * other look for logouts without need.
   *
   * @defaultValue 'oneid-logout'
   */
  readonly channel?: string;
}

/** Bounded liveness: each replica answers from memory and follows the logouts of all replicas. */
class BoundedLivenessSchema {
  /**
   * Largest age of a replica's knowledge, milliseconds: from 50 to 60,000. Without `answerAtOnce`, OneID waits at least this long for its
   * 200.
   */
  @IsInt()
  @Min(50)
  @Max(60_000)
  readonly maxStalenessMs!: number;

  /**
   * Limit of each of a replica's four caches, entries; the replica reads all others from the database.
   *
   * @defaultValue 100_000
   */
  @IsInt()
  @Min(1)
  readonly maxSessions?: number = 100_000;

  /**
   * Answers OneID's logout with 200 at once, for a OneID version with a short timeout. A replica may then accept an
   * ended session after the 200: for `maxStalenessMs`, and during an outage for `allowDuringOutageMs` longer.
   *
   * @defaultValue false
   */
  @IsBoolean()
  readonly answerAtOnce?: boolean = false;

  /**
   * Replicas tell each other of a new logout, so that each looks for it at once: over PostgreSQL's LISTEN and NOTIFY,
   * or over Redis (package `ioredis`; a URL, or its options). A lost nudge costs time only, at most `maxStalenessMs`.
   */
  @IsOptional()
  @IsNudge()
  readonly nudge?: 'postgres' | RedisNudgeOptions | undefined;

  /**
   * Milliseconds for which a replica answers longer from memory while the database does not answer, at most half an hour.
   * It lets in sessions that were alive when the database last answered. OneID's 200 waits longer by the same time.
   *
   * @defaultValue 0
   */
  @IsInt()
  @Min(0)
  // half of the hour after which OneID's 200 no longer waits for a replica that cannot declare itself again
  @Max(30 * 60 * 1000)
  readonly allowDuringOutageMs?: number = 0;
}

/**
 * Bounded liveness: each replica answers from memory and follows the logouts of all replicas.
 *
 * @interface
 * @category Set-up
 */
export type BoundedLivenessOptions = { [K in keyof BoundedLivenessSchema]: BoundedLivenessSchema[K] };

type ResolvedLiveness = Required<Omit<BoundedLivenessOptions, 'nudge'>> & Pick<BoundedLivenessOptions, 'nudge'>;

/** The option `liveness` with its defaults. */
export type Liveness = 'strict' | ResolvedLiveness;

/** Provides the {@link Liveness} of a registration. */
export const LIVENESS = Symbol('oneid-logout liveness');

/** How stale a replica's answers may be, milliseconds. */
export function stalenessBoundMs(liveness: Liveness): number {
  return liveness === 'strict' ? 0 : liveness.maxStalenessMs + liveness.allowDuringOutageMs;
}

export function answersAtOnce(liveness: Liveness): boolean {
  return liveness !== 'strict' && liveness.answerAtOnce;
}

/** Fills in the defaults; does not validate the options. */
export function livenessWithDefaults(given: unknown): unknown {
  return given === 'strict' ? given : fill(new BoundedLivenessSchema(), given, {});
}
