import { type LogoutChanges } from '../rule/logout.js';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { type Ages, type Moment } from '../clock.js';
import { oneAtATime } from '../one-at-a-time.js';
import { type LogoutNudges } from './logout-nudges.js';
import { MAX_LATENESS } from '../sessions/uncertain-logouts.js';
import { type SessionRepository } from '../store/session.repository.js';
import { RecentLogouts } from './recent-logouts.js';
import { type ReplicaRepository } from '../store/replica.repository.js';
import { type SessionEvents } from '../sessions/session-events.js';

/** How far the database's clock may go apart from ours between two looks, and how long a look may take: milliseconds. */
const CLOCK_STEP = 1_000;

/**
 * How far before its last look a follower looks again, milliseconds: a logout may be committed that long after the time it
 * bears. It adds up how late its writer lets it be, how long before its end the last look may have seen the table, and
 * how far the clock may have been set back in between without being noticed.
 */
const OVERLAP = MAX_LATENESS + CLOCK_STEP + 2 * CLOCK_STEP;

/** How far apart looks are at least that others have asked for, milliseconds: many logouts a second need no more. */
const NUDGE_PAUSE = 20;

/** How often to say that this replica is there, and how long ago that may be: milliseconds. */
const DECLARE_AGAIN = 10 * 60 * 1000;
const DECLARED_LONG_AGO = 30 * 60 * 1000;

export interface FollowerSettings {
  /** Are requests answered by what it knows? Then OneID has to wait for it. */
  readonly answers: boolean;
  /** How old what this replica knows may be, milliseconds. */
  readonly maxStaleness: number;
  /** How much older it may be while the store does not answer, milliseconds. */
  readonly allowDuringOutage: number;
  /** How long logouts are remembered, milliseconds: longer than anything that was read before them is used. */
  readonly retention: number;
}

/** Knows the logouts that all replicas have recorded lately, and how old that knowledge is. */
export class LogoutFollower extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  private readonly recent = new RecentLogouts();
  private readonly id = randomBytes(32).toString('hex');
  /** When the last look that succeeded began, here and on the database's clock. */
  private last: { readonly began: Moment; readonly now: number } | undefined;
  private declared: Moment | undefined;
  private opening: Promise<void> | undefined;
  private opened: Moment | undefined;
  private failed = true;
  private toldOfFailure = false;
  /** Counts up when something may have been missed: what was read before is of no use any more. */
  private currentGeneration = 0;

  constructor(
    private readonly repository: SessionRepository,
    private readonly replicas: ReplicaRepository,
    private readonly events: SessionEvents,
    private readonly ages: Ages,
    private readonly settings: FollowerSettings,
    private readonly nudges?: LogoutNudges,
  ) {
    super('look at the logouts of other replicas', settings.maxStaleness / 4);
  }

  /**
   * Says to all replicas how far this one may be behind, looks once, and from then on so often that it stays fresh. Asked
   * again, it resolves when that has begun.
   */
  open(): Promise<void> {
    this.opening ??= this.begin();
    return this.opening;
  }

  private async begin(): Promise<void> {
    this.opened = this.ages.now();
    this.listen();
    await this.wake();
    if (this.stopping) return;
    this.start();
    this.nudges?.open(
      oneAtATime(async () => {
        await this.wake();
        await delay(NUDGE_PAUSE, undefined, { ref: false });
      }),
    );
  }

  /** What this process records itself counts here at once. */
  listen(): void {
    this.events.recorded.subscribe((logouts) => {
      const changedAt = this.databaseNow();
      if (changedAt === undefined) return;
      for (const logout of logouts) this.recent.add({ ...logout, changedAt });
    });
    const { nudges } = this;
    if (nudges !== undefined) this.events.recorded.subscribe(oneAtATime(() => nudges.send()));
  }

  /** Nobody has to wait for this replica any more; what it knows is of no use from then on. */
  async close(): Promise<void> {
    this.last = undefined;
    this.declared = undefined;
    const silent = this.nudges?.close();
    await this.stop();
    // a look that was under way may have come to its end
    this.last = undefined;
    this.declared = undefined;
    if (this.settings.answers) await this.replicas.withdraw(this.id).catch(() => undefined);
    await silent;
  }

  protected work(): Promise<void> {
    return this.look();
  }

  /**
   * Which state of knowledge there is, if it is fresh: what was read in one is of no use in another.
   *
   * @returns undefined when the last look that succeeded began too long ago
   */
  get fresh(): number | undefined {
    if (this.last === undefined || this.failed || !this.isDeclared) return undefined;
    return this.ages.of(this.last.began) > this.settings.maxStaleness ? undefined : this.currentGeneration;
  }

  /** The same while the store does not answer, as far as the settings allow it. */
  get freshEnoughInOutage(): number | undefined {
    const { maxStaleness, allowDuringOutage } = this.settings;
    if (this.last === undefined || allowDuringOutage === 0) return undefined;
    return this.ages.of(this.last.began) <= maxStaleness + allowDuringOutage ? this.currentGeneration : undefined;
  }

  /** Does OneID wait for this replica, before its 200, for as long as it may be behind? */
  get isDeclared(): boolean {
    return this.declared !== undefined && this.ages.of(this.declared) <= DECLARED_LONG_AGO;
  }

  /** Another number when something may have been missed. */
  get generation(): number {
    return this.currentGeneration;
  }

  /** Are requests answered from memory just now? */
  get answersNow(): boolean {
    return this.settings.answers && this.fresh !== undefined;
  }

  /** For how long the logouts of other replicas have been out of sight, milliseconds; undefined where nobody looks. */
  get stalenessMs(): number | undefined {
    const seen = this.last?.began ?? this.opened;
    return seen && this.ages.of(seen);
  }

  /** The logouts of the last minutes, those of this process at once. */
  get logouts(): Pick<RecentLogouts, 'endedBy' | 'size'> {
    return this.recent;
  }

  /** The database's clock, as it is by our own since the last look, or a little later: milliseconds. */
  databaseNow(): number | undefined {
    return this.last && this.last.now + this.ages.of(this.last.began);
  }

  /** Looks for new logouts now; resolves when that is done, or has failed. */
  async look(): Promise<void> {
    const began = this.ages.now();
    try {
      await this.declare(began);
      const since = this.last ?? (await this.repository.findChanges(this.id));
      this.take(await this.repository.findChanges(this.id, since.now - OVERLAP), began);
    } catch (error) {
      this.tellOfFailure(error);
      this.failed = true;
      // a database that takes the place of this one may not know of us
      this.declared = undefined;
    }
  }

  private tellOfFailure(error: unknown): void {
    if (this.toldOfFailure) return;
    this.toldOfFailure = true;
    const meanwhile = this.settings.answers
      ? 'every request asks the database'
      : 'sockets and streams are closed if this goes on';
    this.logger.warn(`Other replicas' logouts can't be followed, ${meanwhile}: ${String(error)}`);
  }

  private async declare(now: Moment): Promise<void> {
    const { answers, maxStaleness, allowDuringOutage } = this.settings;
    if (!answers) return;
    if (this.declared !== undefined && this.ages.of(this.declared) <= DECLARE_AGAIN) return;
    await this.replicas.declare(this.id, maxStaleness + allowDuringOutage);
    this.declared = now;
  }

  private take({ now, declared, logouts }: LogoutChanges, began: Moment): void {
    const expected = this.databaseNow();
    const took = this.ages.of(began);
    const stepped = expected === undefined || took > CLOCK_STEP || Math.abs(now - expected) > CLOCK_STEP + took;
    // a database that does not know of us may be another one, as after a failure
    const unknown = this.settings.answers && !declared;
    if (stepped || unknown || this.failed) {
      this.currentGeneration += 1;
      this.recent.clear();
    }
    // on a clock that has stepped ahead we may seem to be gone
    if ((stepped && expected !== undefined) || unknown) this.declared = undefined;
    const news = logouts.filter((logout) => this.recent.add(logout));
    this.recent.forget(now - this.settings.retention - OVERLAP);
    this.failed = false;
    if (this.toldOfFailure) this.logger.log("Other replicas' logouts are followed again.");
    this.toldOfFailure = false;
    this.last = { began, now };
    this.events.publishFound(news);
  }
}
