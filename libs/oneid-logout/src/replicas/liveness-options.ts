import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { fill, IsOptional, isRecord, type Plain, Predicate } from '../option-checks.js';
import { type RedisConnection } from './redis-nudges.js';

const IsNudge = () =>
  Predicate(
    'isNudge',
    "must be 'postgres', or { redis } with a redis: or rediss: URL or options of ioredis, and perhaps a channel",
    (value) => value === 'postgres' || isRedisNudge(value),
  );

function isRedisNudge(value: unknown): boolean {
  if (!isRecord(value) || !Object.keys(value).every((name) => name === 'redis' || name === 'channel')) return false;
  const { redis, channel = 'any' } = value;
  if (typeof channel !== 'string' || channel === '') return false;
  return isRecord(redis) || (typeof redis === 'string' && /^rediss?:\/\//.test(redis) && URL.canParse(redis));
}

/** Redis as a messenger between replicas. */
export interface RedisNudgeOptions {
  /** A URL (`redis:` or `rediss:`), or options of `ioredis`. */
  readonly redis: RedisConnection;
  /** Of this database: apps that share one are nudged by each other to no purpose, and nothing else. */
  readonly channel?: string;
}

/** Answer from memory, with every replica following the logouts of all. */
class BoundedLivenessSchema {
  /** How old what a replica knows may be, milliseconds. OneID waits for its 200 at least so long. */
  @IsInt()
  @Min(50)
  @Max(60_000)
  readonly maxStaleness!: number;

  /** How many sessions a replica remembers; the others are asked of the database. */
  @IsInt()
  @Min(1)
  readonly maxSessions?: number = 100_000;

  /** Tell OneID 200 at once, for a version with little patience; a replica may then be behind it by `maxStaleness`. */
  @IsBoolean()
  readonly answerAtOnce?: boolean = false;

  /**
   * Has replicas tell each other of logouts, so that they look at once: over PostgreSQL's LISTEN and NOTIFY, or over Redis
   * (with the package `ioredis`; a URL, or its options). A nudge that is lost costs time, at most `maxStaleness`.
   */
  @IsOptional()
  @IsNudge()
  readonly nudge?: 'postgres' | RedisNudgeOptions | undefined;

  /**
   * While the store does not answer, let in for so many milliseconds more what was alive when it last did. OneID waits for
   * its 200 so much longer.
   */
  @IsInt()
  @Min(0)
  // a replica that can't say that it is there is waited for no longer than an hour
  @Max(30 * 60 * 1000)
  readonly allowDuringOutage?: number = 0;
}

/** Answer from memory, with every replica following the logouts of all. */
export type BoundedLivenessOptions = Plain<BoundedLivenessSchema>;

export type ResolvedLiveness = Required<Omit<BoundedLivenessOptions, 'nudge'>> & Pick<BoundedLivenessOptions, 'nudge'>;

/** Bounded liveness as it was given, over the defaults; not checked yet. */
export function livenessWithDefaults(given: unknown): unknown {
  return isRecord(given) ? fill(new BoundedLivenessSchema(), given, {}) : given;
}
