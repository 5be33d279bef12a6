import { BackgroundJob } from '../background-job.js';
import { type Clock } from '../clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type Random } from '../random.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import { MAX_CLOCK_DIFFERENCE } from '../store/clock-difference.js';
import { type IdleSessions, type SignInPosition } from '../store/idle-sessions.js';
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

/** How many sessions without a recorded use one statement looks at. It only reads. */
const LOOKED_AT = 100;

/**
 * How much one run does at most. OneID gets a request for each refresh token of these sessions, and a run must not keep
 * the revocations of a real logout waiting for long. The next run goes on.
 */
const MAX_ENDS = 1_000;
const MAX_PAGES = 400;

/** In the order of the sign-ins, before all sessions. */
const BEGINNING: SignInPosition = { registeredAt: 0, id: '' };

/**
 * Ends idle sessions for good, with a logout of each: a higher `maxIdleSeconds` brings none back, their refresh tokens are
 * revoked, and the app hears of it. The guard refuses them before: this job may be late.
 *
 * Several replicas may find the same session: each of them may record its one logout.
 */
export class IdleEnds extends BackgroundJob {
  /** The sessions before it have ended, or have a recorded use. After a restart, this replica looks at all of them again. */
  private position = BEGINNING;

  constructor(
    private readonly repository: Pick<SessionRepository, 'findNow'>,
    private readonly sessions: IdleSessions,
    private readonly recorder: LogoutRecorder,
    private readonly limit: IdleLimit,
    clock: Clock,
    random: Random,
  ) {
    super('ending idle sessions', INTERVAL, clock, random);
  }

  protected async work(): Promise<void> {
    try {
      // one time for the whole run: a clock that jumps ahead meanwhile ends nothing
      const now = await this.repository.findNow();
      // by a wrong clock, sessions would end for good that are in use. The purge logs the warning
      if (Math.abs(now - this.clock.now()) > MAX_CLOCK_DIFFERENCE) return;
      const until = now - this.limit.maxIdleMs - IDLE_GRACE;
      const ended = await this.endLongUnused(until, now);
      await this.endNeverUsed(until, now, MAX_ENDS - ended);
    } catch (error) {
      // the next run tries again; the log has the reason from the database
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  /** @returns how many sessions it has ended */
  private async endLongUnused(until: number, now: number): Promise<number> {
    let ended = 0;
    for (let page = 0; page < MAX_PAGES && ended < MAX_ENDS && !this.stopping; page++) {
      await this.clock.endOfTurn();
      const { alive, ids } = await this.sessions.findLongUnused(until, now, BATCH);
      if (ids.length === 0) return ended;
      await this.recorder.endSessions(alive, 'idle');
      ended += alive.length;
      // after the end: without its use, a session counts from its sign-in
      await this.sessions.forgetUses(ids, until);
      if (ids.length < BATCH) return ended;
    }
    return ended;
  }

  private async endNeverUsed(until: number, now: number, most: number): Promise<void> {
    // the clock has stepped back: sessions may follow that are registered before the position
    if (this.position.registeredAt > until) this.position = { registeredAt: until, id: '' };
    for (let page = 0, ended = 0; page < MAX_PAGES && ended < most && !this.stopping; page++) {
      await this.clock.endOfTurn();
      const { alive, last } = await this.sessions.findNeverUsed(until, now, this.position, LOOKED_AT);
      for (let n = 0; n < alive.length; n += BATCH) {
        await this.recorder.endSessions(alive.slice(n, n + BATCH), 'idle');
      }
      ended += alive.length;
      if (last === undefined) return;
      this.position = last;
    }
  }
}
