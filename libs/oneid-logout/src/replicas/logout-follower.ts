import { type LogoutChanges } from '../rule/logout.js';
import { Logger } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { type Clock, type Moment } from '../clock.js';
import { type Random } from '../random.js';
import { oneAtATime } from '../one-at-a-time.js';
import { type LogoutNudges } from './logout-nudges.js';
import { MAX_LATENESS } from '../sessions/uncertain-logouts.js';
import { type SessionRepository } from '../store/session.repository.js';
import { RecentLogouts } from './recent-logouts.js';
import { type ReplicaRepository } from '../store/replica.repository.js';
import { type SessionEvents } from '../sessions/session-events.js';

/**
 * Milliseconds that the database's clock may drift from ours between two looks, and that one look may take. Beyond
 * this, the follower may have missed a logout.
 */
const CLOCK_STEP = 1_000;

/**
 * Milliseconds before the previous look from which a look reads again, because a logout is committed after its
 * `changedAt`. The sum of three delays: how late the writer may commit it; how long before its end the previous look
 * may have read the table; how far the database's clock may step back without this follower noticing.
 */
const OVERLAP = MAX_LATENESS + CLOCK_STEP + 2 * CLOCK_STEP;

/** Milliseconds of pause after a look that a nudge caused, so that many logouts in one second share a look. */
const NUDGE_PAUSE = 20;

/**
 * Milliseconds after which this replica declares itself again, and after which it no longer trusts its declaration. The
 * second is half of the hour for which OneID's 200 waits for a replica after its declaration.
 */
const DECLARE_AGAIN = 10 * 60 * 1000;
const DECLARED_LONG_AGO = 30 * 60 * 1000;

export interface FollowerSettings {
  /** Whether this replica answers requests from memory; then OneID's 200 has to wait for it. */
  readonly answers: boolean;
  /** Largest age of this replica's knowledge, milliseconds. */
  readonly maxStaleness: number;
  /** How much older this knowledge may be while the database does not answer, milliseconds. */
  readonly allowDuringOutage: number;
  /** How long logouts stay in memory, milliseconds: at least as long as a remembered session may be used. */
  readonly retention: number;
}

/** Keeps the recent logouts of all replicas in memory, and knows the age of this knowledge. */
export class LogoutFollower extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  private readonly recent = new RecentLogouts();
  private readonly id: string;
  /** The last successful look: when it began, and the database's clock that it read (milliseconds). */
  private last: { readonly began: Moment; readonly now: number } | undefined;
  private declared: Moment | undefined;
  private opening: Promise<void> | undefined;
  private opened: Moment | undefined;
  private failed = true;
  private toldOfFailure = false;
  /** Grows when the follower may have missed a logout; sessions read in an older generation must not be used. */
  private currentGeneration = 0;

  constructor(
    private readonly repository: SessionRepository,
    private readonly replicas: ReplicaRepository,
    private readonly events: SessionEvents,
    clock: Clock,
    random: Random,
    private readonly settings: FollowerSettings,
    private readonly nudges?: LogoutNudges,
  ) {
    super('looking at the logouts of other replicas', settings.maxStaleness / 4, clock, random);
    this.id = random.id();
  }

  /**
   * Declares how stale this replica may be (if it answers from memory), looks once, and then looks often enough to stay
   * fresh. Further calls return the same promise. It resolves after the first look, also when that look fails.
   */
  open(): Promise<void> {
    this.opening ??= this.begin();
    return this.opening;
  }

  private async begin(): Promise<void> {
    this.opened = this.clock.moment();
    this.listen();
    await this.wake();
    if (this.stopping) return;
    this.start();
    this.nudges?.open(
      oneAtATime(async () => {
        await this.wake();
        await this.clock.delay(NUDGE_PAUSE);
      }),
    );
  }

  /** Adds this process's own logouts to memory without waiting for a look, and nudges the other replicas. */
  listen(): void {
    this.events.recorded.subscribe((logouts) => {
      const changedAt = this.databaseNow();
      if (changedAt === undefined) return;
      for (const logout of logouts) this.recent.add({ ...logout, changedAt });
    });
    const { nudges } = this;
    if (nudges !== undefined) this.events.recorded.subscribe(oneAtATime(() => nudges.send()));
  }

  /** Stops answering from memory, then withdraws this replica, so OneID's 200 no longer waits for it. */
  async close(): Promise<void> {
    this.last = undefined;
    this.declared = undefined;
    const silent = this.nudges?.close();
    await this.stop();
    // a look that was under way may have set both again
    this.last = undefined;
    this.declared = undefined;
    if (this.settings.answers) await this.replicas.withdraw(this.id).catch(() => undefined);
    await silent;
  }

  protected work(): Promise<void> {
    return this.look();
  }

  /**
   * The current generation, while memory may answer. Sessions that were read in another generation must not be used.
   *
   * @returns undefined when the last look failed, the last successful look began more than `maxStaleness` ago, or this
   *   replica is not declared
   */
  get fresh(): number | undefined {
    if (this.last === undefined || this.failed || !this.isDeclared) return undefined;
    return this.clock.ageOf(this.last.began) > this.settings.maxStaleness ? undefined : this.currentGeneration;
  }

  /** The current generation, while the last successful look is at most `maxStaleness` + `allowDuringOutage` old. */
  get freshEnoughInOutage(): number | undefined {
    const { maxStaleness, allowDuringOutage } = this.settings;
    if (this.last === undefined || allowDuringOutage === 0) return undefined;
    return this.clock.ageOf(this.last.began) <= maxStaleness + allowDuringOutage ? this.currentGeneration : undefined;
  }

  /** Whether this replica has declared its staleness recently, so that OneID's 200 waits for it. */
  get isDeclared(): boolean {
    return this.declared !== undefined && this.clock.ageOf(this.declared) <= DECLARED_LONG_AGO;
  }

  /** Changes when the follower may have missed a logout. */
  get generation(): number {
    return this.currentGeneration;
  }

  /** Whether this replica answers requests from memory at this moment. */
  get answersNow(): boolean {
    return this.settings.answers && this.fresh !== undefined;
  }

  /** Milliseconds since the last successful look began; since `open()` before the first; undefined before `open()`. */
  get stalenessMs(): number | undefined {
    const seen = this.last?.began ?? this.opened;
    return seen && this.clock.ageOf(seen);
  }

  /** The recent logouts of all replicas, this one included. */
  get logouts(): Pick<RecentLogouts, 'endedBy' | 'size'> {
    return this.recent;
  }

  /**
   * Estimates the database's clock, milliseconds: the time that the last successful look read, plus our time since that
   * look began. The estimate may be slightly ahead. Undefined before the first successful look.
   */
  databaseNow(): number | undefined {
    return this.last && this.last.now + this.clock.ageOf(this.last.began);
  }

  /** Reads the new logouts from the database now. Resolves also when the look fails. */
  async look(): Promise<void> {
    const began = this.clock.moment();
    try {
      await this.declare(began);
      const since = this.last ?? (await this.repository.findChanges(this.id));
      this.take(await this.repository.findChanges(this.id, since.now - OVERLAP), began);
    } catch (error) {
      this.tellOfFailure(error);
      this.failed = true;
      // after a failover, the new database may not have our declaration
      this.declared = undefined;
    }
  }

  private tellOfFailure(error: unknown): void {
    if (this.toldOfFailure) return;
    this.toldOfFailure = true;
    const meanwhile = this.settings.answers
      ? 'so every request asks the database'
      : 'and will close its sockets and streams if this goes on';
    this.logger.warn(`This replica can't read the logouts of other replicas, ${meanwhile}: ${String(error)}`);
  }

  private async declare(now: Moment): Promise<void> {
    const { answers, maxStaleness, allowDuringOutage } = this.settings;
    if (!answers) return;
    if (this.declared !== undefined && this.clock.ageOf(this.declared) <= DECLARE_AGAIN) return;
    await this.replicas.declare(this.id, maxStaleness + allowDuringOutage);
    this.declared = now;
  }

  private take({ now, declared, logouts }: LogoutChanges, began: Moment): void {
    const expected = this.databaseNow();
    const took = this.clock.ageOf(began);
    const stepped = expected === undefined || took > CLOCK_STEP || Math.abs(now - expected) > CLOCK_STEP + took;
    // without our declaration, this may be another database, for example after a failover
    const unknown = this.settings.answers && !declared;
    if (stepped || unknown || this.failed) {
      this.currentGeneration += 1;
      this.recent.clear();
    }
    // if the database's clock stepped ahead, our declaration looks too old: declare again at the next look
    if ((stepped && expected !== undefined) || unknown) this.declared = undefined;
    const news = logouts.filter((logout) => this.recent.add(logout));
    this.recent.forget(now - this.settings.retention - OVERLAP);
    this.failed = false;
    if (this.toldOfFailure) this.logger.log('This replica reads the logouts of other replicas again.');
    this.toldOfFailure = false;
    this.last = { began, now };
    this.events.publishFound(news);
  }
}
