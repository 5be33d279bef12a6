import { type Moment } from '../clock.js';
import { type RecordedLogout } from '../rule/logout.js';

/**
 * Milliseconds allowed between the time that a logout bears (`changedAt`) and its commit. Followers look back only a
 * little further, so a logout with a later commit needs a new time.
 */
export const MAX_COMMIT_LATENESS = 1_000;

/** One page of the answer to a look. */
export interface LogoutChanges {
  /** The database's clock when the logouts were read, milliseconds. */
  readonly now: number;
  /** When the question was sent, or a little earlier. */
  readonly sent: Moment;
  /** Whether this database holds the declaration of the replica that asks. */
  readonly knowsReplica: boolean;
  readonly logouts: readonly RecordedLogout[];
  /** Whether there may be more logouts after this page. */
  readonly more: boolean;
}
