import { Injectable } from '@nestjs/common';
import { firstValueFrom, Subject } from 'rxjs';
import { Logger } from '../logger.js';
import { BackgroundJob } from '../background-job.js';
import { Clock, type Moment } from '../clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type VerifiedLogoutToken } from '../provider/logout-token.js';
import { Random } from '../random.js';
import { type Logout, type LogoutChannel } from '../rule/logout.js';
import { type SessionFacts } from '../rule/session.js';
import { LogoutBus } from './logout-bus.js';
import { LogoutRecorder } from './logout-recorder.js';
import { LogoutsByTarget } from './logouts-by-target.js';
import { logoutsOfToken, type TokenLogouts } from './token-logouts.js';

/** How often to try again, milliseconds. After a failure the pause doubles, up to the longest pause. */
const INTERVAL = 2_000;
const LONGEST_PAUSE = 60_000;

/** How long the replica keeps a logout that it can't record, milliseconds. */
const UNRECORDED_FOR = 60 * 60 * 1000;

/** How many logouts the replica keeps at most, and how many it tries to record at the same time. */
export const INBOX_SIZE = 10_000;
const BATCH = 128;

interface UnrecordedLogout {
  readonly logouts: TokenLogouts;
  readonly since: Moment;
  /** Emits when the logout is recorded; never, when it is given up. */
  readonly recorded: Subject<void>;
}

/**
 * Receives the verified logouts of OneID. A logout that the store can't record now is kept in this process and recorded
 * when the store is back: Hydra sends a logout again for at most three minutes, Keycloak never. Meanwhile this replica
 * obeys it.
 */
@Injectable()
export class LogoutInbox extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  private readonly kept = new Map<string, UnrecordedLogout>();
  /** What the kept tokens end, by the ids of {@link obeyed}. */
  private readonly logouts = new LogoutsByTarget();
  /** The logouts that are being recorded: the same token again waits for the same end. */
  private readonly recording = new Map<string, Promise<void>>();
  private pause = INTERVAL;
  private pausedSince: Moment | undefined;
  private full = false;

  constructor(
    private readonly recorder: LogoutRecorder,
    private readonly bus: LogoutBus,
    clock: Clock,
    random: Random,
  ) {
    super('recording logouts that the store could not record', INTERVAL, clock, random);
  }

  /** How many logouts wait for the store. */
  get size(): number {
    return this.kept.size;
  }

  /**
   * Records what a logout token ends. The same token at the same time is recorded once.
   *
   * @throws {StoreUnavailableError} the logout is not recorded yet; the replica keeps it
   */
  record(token: VerifiedLogoutToken): Promise<void> {
    const logouts = logoutsOfToken(token);
    const { key } = logouts;
    const running = this.recording.get(key);
    if (running !== undefined) return running;
    const recording = this.recordOrKeep(logouts).finally(() => this.recording.delete(key));
    this.recording.set(key, recording);
    return recording;
  }

  /**
   * For a logout that {@link record} could not record: waits until the store has recorded it after all.
   *
   * @param withinMs how long the caller waits at most
   * @returns undefined when the replica does not keep the logout, or does not try again within this time
   */
  recordedLater(token: VerifiedLogoutToken, withinMs: number): Promise<void> | undefined {
    const pauseLeft = this.pausedSince === undefined ? 0 : this.pause - this.clock.ageOf(this.pausedSince);
    const kept = this.isStarted && pauseLeft < withinMs ? this.kept.get(logoutsOfToken(token).key) : undefined;
    return kept && firstValueFrom(kept.recorded);
  }

  /** The channel of a kept logout that ends this session; undefined without such a logout. */
  endedBy(session: SessionFacts): LogoutChannel | undefined {
    return this.kept.size === 0 ? undefined : this.logouts.endedBy(session);
  }

  /**
   * Tries each kept logout once, until a batch fails. Callers of the recorder at the same time share a statement, so a
   * batch needs few statements.
   */
  async recordKept(): Promise<void> {
    const kept = [...this.kept.values()];
    for (let n = 0; n < kept.length; n += BATCH) {
      const batch = kept.slice(n, n + BATCH);
      const outcomes = await Promise.allSettled(
        batch.map(async ({ logouts }) => {
          await this.recorder.recordTokenLogouts(logouts);
          this.forgetRecorded(logouts);
        }),
      );
      if (outcomes.every(({ status }) => status === 'rejected')) {
        this.pause = this.pausedSince === undefined ? INTERVAL : Math.min(this.pause * 2, LONGEST_PAUSE);
        this.pausedSince = this.clock.moment();
        return;
      }
    }
    this.pausedSince = undefined;
  }

  /** Tries the kept logouts once more. Call it when no request comes any more, and before the database is closed. */
  override async stop(): Promise<void> {
    await super.stop();
    await Promise.allSettled(this.recording.values());
    await this.recordKept();
    if (this.kept.size === 0) return;
    this.logger.error(
      `The library could not record ${this.kept.size} logouts of OneID before the app stopped. ` +
        'Their sessions end only if OneID sends these logouts again, which it does for three minutes at most.',
    );
  }

  protected async work(): Promise<void> {
    if (this.pausedSince !== undefined && this.clock.ageOf(this.pausedSince) < this.pause) return;
    await this.recordKept();
    // a clock may have stepped, so a logout is tried before it is given up
    this.forgetOld();
  }

  private async recordOrKeep(logouts: TokenLogouts): Promise<void> {
    try {
      await this.recorder.recordTokenLogouts(logouts);
    } catch (error) {
      if (error instanceof StoreUnavailableError) this.keep(logouts);
      throw error;
    }
    this.forgetRecorded(logouts);
    // the store is back
    if (this.kept.size > 0 && !this.stopping) {
      this.pausedSince = undefined;
      void this.wake();
    }
  }

  private keep(logouts: TokenLogouts): void {
    if (this.kept.has(logouts.key)) return;
    if (this.kept.size >= INBOX_SIZE) {
      if (!this.full) {
        this.logger.error(
          `The replica keeps ${INBOX_SIZE} logouts of OneID that it could not record, and has no room for more. ` +
            'It loses the next ones unless OneID sends them again, which it does for three minutes at most. ' +
            'Repair the session store.',
        );
      }
      this.full = true;
      return;
    }
    this.kept.set(logouts.key, { logouts, since: this.clock.moment(), recorded: new Subject() });
    for (const logout of obeyed(logouts)) this.logouts.add(logout);
    // the connections of the ended sessions close at once
    this.bus.publishKept(logouts.named);
  }

  private forgetRecorded(logouts: TokenLogouts): void {
    const recorded = this.kept.get(logouts.key)?.recorded;
    this.forget(logouts);
    recorded?.next();
  }

  private forget(logouts: TokenLogouts): void {
    if (!this.kept.delete(logouts.key)) return;
    this.full = false;
    for (const { id } of obeyed(logouts)) this.logouts.remove(id);
  }

  private forgetOld(): void {
    let lost = 0;
    for (const { logouts, since } of this.kept.values()) {
      if (this.clock.monotonicNow() - since.monotonic <= UNRECORDED_FOR) break;
      this.forget(logouts);
      lost += 1;
    }
    if (lost === 0) return;
    this.logger.error(
      `The library could not record ${lost} logouts of OneID for an hour, and gives them up. ` +
        'Their sessions stay alive until they expire: OneID no longer sends these logouts.',
    );
  }
}

/** What a kept token ends. Its logouts have ids of their own, because a provider may give two tokens the same `jti`. */
function obeyed({ key, named }: TokenLogouts): Logout[] {
  return named.map((logout) => ({ ...logout, id: `${key} ${logout.kind}` }));
}
