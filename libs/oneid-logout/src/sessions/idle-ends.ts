import { BackgroundJob } from '../background-job.js';
import { type Clock } from '../clock.js';
import { type GuardSettings } from '../guard/guard-settings.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type Random } from '../random.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import { MAX_CLOCK_DIFFERENCE } from '../store/clock-difference.js';
import { type IdlePosition, type IdleSessions } from '../store/idle-sessions.js';
import { type SessionRepository } from '../store/session.repository.js';
import { type LogoutRecorder } from './logout-recorder.js';

/** How often to look for idle sessions, milliseconds. */
const INTERVAL = 60_000;

/**
 * How much longer than `maxIdleSeconds` a session must be unused before its end is recorded, milliseconds: a minute for the
 * difference of the clocks that is permitted, and a minute for a use whose commit is late.
 */
export const IDLE_GRACE = MAX_CLOCK_DIFFERENCE + 60_000;

/** The most sessions whose end one statement records. Small: OneID's logouts wait for it. */
const BATCH = 25;

/** How many sessions one statement looks at. It only reads. */
const LOOKED_AT = 100;

/**
 * How much one run does at most. OneID gets a request for each refresh token of these sessions, and a run must not keep
 * the revocations of a real logout waiting for long. The next run goes on.
 */
const MAX_ENDS = 1_000;
const MAX_PAGES = 400;

/** Before all sessions. */
const BEGINNING: IdlePosition = { at: 0, id: '' };

/**
 * Ends idle sessions for good, with a logout of each: a higher `maxIdleSeconds` brings none back, their refresh tokens are
 * revoked, and the app hears of it. The guard refuses them before: this job may be late.
 *
 * Several replicas may find the same session: each of them may record its one logout. Sessions of clients that are not
 * configured here belong to another app that shares the database. That app decides whether they are idle.
 */
export class IdleEnds extends BackgroundJob {
  /**
   * How far this replica has looked. The sessions before have ended, or are found in the other order, or are of another app.
   * After a restart, it looks at all sessions again.
   */
  private readonly positions = { findLongUnused: BEGINNING, findNeverUsed: BEGINNING };

  constructor(
    private readonly repository: Pick<SessionRepository, 'findNow'>,
    private readonly sessions: IdleSessions,
    private readonly recorder: LogoutRecorder,
    private readonly limit: IdleLimit,
    private readonly isConfiguredClient: GuardSettings['isConfiguredClient'],
    clock: Clock,
    random: Random,
  ) {
    super('ending idle sessions', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    try {
      // one time for the whole run: a clock that jumps ahead meanwhile ends nothing
      const now = await this.repository.findNow();
      const until = now - this.limit.maxIdleMs - IDLE_GRACE;
      this.lookAgainAfter(until);
      // by a wrong clock, sessions would end for good that are in use. The purge logs the warning
      if (Math.abs(now - this.clock.now()) > MAX_CLOCK_DIFFERENCE) return;
      const ended = await this.endFound('findLongUnused', until, now, MAX_ENDS);
      await this.endFound('findNeverUsed', until, now, MAX_ENDS - ended);
    } catch (error) {
      // the next run tries again; the log has the reason from the database
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  /** When the clock has stepped back, sessions may follow whose times are before a position. */
  private lookAgainAfter(until: number): void {
    const { positions } = this;
    if (positions.findLongUnused.at > until) positions.findLongUnused = { at: until, id: '' };
    if (positions.findNeverUsed.at > until) positions.findNeverUsed = { at: until, id: '' };
  }

  /** @returns how many sessions it has ended: `most` at most */
  private async endFound(
    find: 'findLongUnused' | 'findNeverUsed',
    until: number,
    now: number,
    most: number,
  ): Promise<number> {
    let ended = 0;
    for (let page = 0; page < MAX_PAGES && ended < most && !this.stopping; page++) {
      await this.clock.endOfTurn();
      const limit = Math.min(LOOKED_AT, most - ended);
      const { sessions, gone, last } = await this.sessions[find](until, now, this.positions[find], limit);
      const ours = sessions.filter(({ issuer, clientId }) => this.isConfiguredClient(issuer, clientId));
      const alive = ours.filter(({ isAlive }) => isAlive);
      for (let n = 0; n < alive.length; n += BATCH) {
        await this.recorder.endSessions(alive.slice(n, n + BATCH), 'idle');
      }
      ended += alive.length;
      // after the end: without its use, a session counts from its sign-in
      const useless = find === 'findLongUnused' ? [...ours.map(({ id }) => id), ...gone] : [];
      if (useless.length > 0) await this.sessions.forgetUses(useless, until);
      if (last === undefined) break;
      this.positions[find] = last;
    }
    return ended;
  }
}
