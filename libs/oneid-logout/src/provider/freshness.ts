import { type Moment } from '../clock.js';
import { type Fetched } from './cached-resource.js';

/** How old an answer of the provider is. */
export interface AnswerAge {
  /** How long a cache has kept this answer, milliseconds (RFC 9111 §5.1). 0 for an answer that is no older than its fetch. */
  readonly ageMs: number;
  /** When the provider made the answer, by its own clock: milliseconds. Infinity when the answer does not say so. */
  readonly dateMs: number;
}

/** When a token was made, at the latest. */
export interface LatestIssue {
  /** Milliseconds since the epoch, by the token's own times. */
  readonly issuedAtMs: number;
  /** When this process first received the token. undefined: in this call. */
  readonly receivedAt?: Moment | undefined;
}

export function answerAge({ headers }: Response): AnswerAge {
  // of several values of Age the first counts, and an invalid value counts as none
  const [seconds = ''] = (headers.get('age') ?? '').split(',');
  const date = Date.parse(headers.get('date') ?? '');
  return {
    ageMs: /^\s*\d+\s*$/.test(seconds) ? Number(seconds) * 1000 : 0,
    // the end of the second that Date names (RFC 9110 §6.6.1)
    dateMs: Number.isNaN(date) ? Infinity : date + 999,
  };
}

/**
 * Did the provider make this answer after the token? Only such an answer can refuse a token for good. One proof is
 * enough:
 *
 * - The fetch began in this call, and no cache has kept the answer.
 * - The fetch began after the first receipt of the token, by the monotonic clock and with the `Age` taken off. This
 *   holds for every `iat`, also for one in the far future.
 * - The answer is newer than the token by the token's times: by this machine's clock and by the answer's `Date`, because
 *   this machine's clock may be ahead of the provider's.
 *
 * @param attempts how many fetches had begun before this call
 */
export function isNewerThan(
  { attempt, startedAt, content: { ageMs, dateMs } }: Fetched<AnswerAge>,
  { issuedAtMs, receivedAt }: LatestIssue,
  attempts: number,
): boolean {
  if (attempt > attempts && ageMs === 0) return true;
  // a cache rounds its Age down to seconds
  const longestAgeMs = ageMs === 0 ? 0 : ageMs + 1000;
  if (receivedAt !== undefined && startedAt.monotonic - longestAgeMs > receivedAt.monotonic) return true;
  return Math.min(startedAt.wall - ageMs, dateMs) >= issuedAtMs;
}
