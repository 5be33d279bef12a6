import { Logger } from '../logger.js';
import { type RecordedLogout } from '../rule/logout.js';
import { BackgroundJob } from '../background-job.js';
import { type Clock, type Moment } from '../clock.js';
import { type Random } from '../random.js';
import { OneAtATime } from '../one-at-a-time.js';
import { type LogoutNudges } from './logout-nudges.js';
import { type LogoutChanges, MAX_COMMIT_LATENESS } from '../store/logout-changes.js';
import { type SessionRepository } from '../store/session.repository.js';
import { RecentLogouts } from './recent-logouts.js';
import { ReplicaDeclaration } from './replica-declaration.js';
import { type ReplicaRepository } from '../store/replica.repository.js';
import { type LogoutBus } from '../sessions/logout-bus.js';

/** Milliseconds that a look may take. After a longer one, the follower may have missed a logout. */
const MAX_LOOK_DURATION = 1_000;

/**
 * Milliseconds that the database's clock may move against ours between two looks. After a larger step, the follower may
 * have missed a logout.
 */
const MAX_CLOCK_STEP = 1_000;

/**
 * Milliseconds before the previous look from which a look reads again, because a logout is committed after its
 * `changedAt`. The sum of three times: how late the writer may commit it; how much earlier than it reads its clock the
 * database may take the snapshot of the table for the previous look; how far the database's clock may be set ahead while
 * a logout is being recorded. A larger step is noticed, but a logout that is not committed by then can be missed.
 */
const OVERLAP = MAX_COMMIT_LATENESS + MAX_LOOK_DURATION + (MAX_CLOCK_STEP + MAX_LOOK_DURATION);

/** How many looks the follower makes on average in `maxStalenessMs`. */
const LOOKS_PER_STALENESS = 4;

/** Milliseconds of pause after a look that a nudge caused, so that many logouts in one second share a look. */
const NUDGE_PAUSE = 20;

export interface FollowerSettings {
  /** Whether this replica answers requests from memory; then OneID's 200 has to wait for it. */
  readonly answers: boolean;
  /** Largest age of this replica's knowledge, milliseconds. */
  readonly maxStalenessMs: number;
  /** How much older this knowledge may be while the database does not answer, milliseconds. */
  readonly allowDuringOutageMs: number;
  /** How long logouts stay in memory, milliseconds: at least as long as a remembered session may be used. */
  readonly retention: number;
}

/** A successful look at the database. */
interface Look {
  readonly began: Moment;
  /** The database's clock that it read, milliseconds. */
  readonly now: number;
  /** The monotonic clock when the answer was here, milliseconds. */
  readonly answeredAt: number;
}

/**
 * What the follower is doing:
 *
 * - `idle`: {@link LogoutFollower.open} was not called, and no look was made.
 * - `starting`: it was opened, and its first look has not ended.
 * - `following`: its last look succeeded. Memory may answer while that look is fresh and the replica is declared.
 * - `failing`: its last look failed. Memory may answer only as far as `allowDuringOutageMs` permits. After the next
 *   successful look, nothing that was read before may be used any more.
 * - `closed`: memory never answers again.
 */
type State =
  | { readonly mode: 'idle' }
  | { readonly mode: 'starting'; readonly since: Moment }
  | { readonly mode: 'following'; readonly lastLook: Look }
  | { readonly mode: 'failing'; readonly since: Moment; readonly lastLook: Look | undefined }
  | { readonly mode: 'closed' };

/**
 * Keeps the recent logouts of all replicas in memory, and knows the age of this knowledge. Call {@link open} and
 * {@link close}: they start and stop the timer too.
 */
export class LogoutFollower extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  private readonly recent = new RecentLogouts();
  private state: State = { mode: 'idle' };
  private readonly declaration: ReplicaDeclaration;
  private opening: Promise<void> | undefined;
  /** Grows when the follower may have missed a logout; sessions read in an older generation must not be used. */
  private currentGeneration = 0;

  constructor(
    private readonly repository: SessionRepository,
    replicas: ReplicaRepository,
    private readonly bus: LogoutBus,
    clock: Clock,
    random: Random,
    private readonly settings: FollowerSettings,
    private readonly nudges?: LogoutNudges,
  ) {
    super('looking at the logouts of other replicas', settings.maxStalenessMs / LOOKS_PER_STALENESS, clock, random);
    const { maxStalenessMs, allowDuringOutageMs } = settings;
    this.declaration = new ReplicaDeclaration(replicas, clock, random.id(), maxStalenessMs + allowDuringOutageMs);
  }

  /**
   * Declares how stale this replica may be (if it answers from memory), looks once, and then looks often enough to stay
   * fresh. Further calls return the same promise. It resolves after the first look, also when that look fails.
   */
  open(): Promise<void> {
    this.opening ??= this.lookOnceAndFollow();
    return this.opening;
  }

  private async lookOnceAndFollow(): Promise<void> {
    if (this.state.mode === 'idle') this.state = { mode: 'starting', since: this.clock.moment() };
    this.followOwnLogouts();
    await this.wake();
    if (this.stopping) return;
    this.start();
    const looks = new OneAtATime(async () => {
      await this.wake();
      await this.clock.delay(NUDGE_PAUSE);
    });
    this.nudges?.open(() => void looks.request());
  }

  /** Adds this process's own logouts to memory without waiting for a look, and nudges the other replicas. */
  followOwnLogouts(): void {
    this.bus.ownLogouts.subscribe((logouts) => {
      const changedAt = this.databaseNow();
      if (changedAt === undefined) return;
      for (const logout of logouts) this.recent.add({ ...logout, changedAt });
    });
    const { nudges } = this;
    if (nudges === undefined) return;
    const sends = new OneAtATime(() => nudges.send());
    this.bus.ownLogouts.subscribe(() => void sends.request());
  }

  /** Stops answering from memory, then withdraws this replica, so OneID's 200 no longer waits for it. */
  async close(): Promise<void> {
    this.state = { mode: 'closed' };
    this.declaration.expire();
    const silent = this.nudges?.close();
    // a look that is under way may still declare this replica, so withdraw it after that look
    await this.stop();
    if (this.settings.answers) await this.declaration.withdraw();
    await silent;
  }

  protected work(): Promise<void> {
    return this.look();
  }

  /**
   * The current generation, while memory may answer. Sessions that were read in another generation must not be used.
   *
   * @returns undefined when the last look failed, the last successful look began more than `maxStalenessMs` ago, or this
   *   replica is not declared
   */
  get usableGeneration(): number | undefined {
    if (this.state.mode !== 'following' || !this.declaration.isValid) return undefined;
    const staleness = this.clock.ageOf(this.state.lastLook.began);
    return staleness > this.settings.maxStalenessMs ? undefined : this.currentGeneration;
  }

  /** The current generation, while the last successful look is at most `maxStalenessMs` + `allowDuringOutageMs` old. */
  get usableGenerationInOutage(): number | undefined {
    const { maxStalenessMs, allowDuringOutageMs } = this.settings;
    const { lastLook } = this;
    if (lastLook === undefined || allowDuringOutageMs === 0) return undefined;
    return this.clock.ageOf(lastLook.began) <= maxStalenessMs + allowDuringOutageMs
      ? this.currentGeneration
      : undefined;
  }

  /**
   * Changes when OneID's 200 may not have waited for this replica meanwhile. Undefined while this replica has not declared
   * its staleness recently.
   */
  get declaredPeriod(): number | undefined {
    return this.declaration.period;
  }

  /** Changes when the follower may have missed a logout. */
  get generation(): number {
    return this.currentGeneration;
  }

  /** Whether this replica answers requests from memory at this moment. */
  get answersNow(): boolean {
    return this.settings.answers && this.usableGeneration !== undefined;
  }

  /**
   * Milliseconds since the last successful look began; before the first one, since the follower started or first failed.
   * Undefined while it is idle or closed.
   */
  get stalenessMs(): number | undefined {
    const { state } = this;
    const seen = this.lastLook?.began ?? ('since' in state ? state.since : undefined);
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
    return this.lastLook && this.lastLook.now + this.clock.ageOf(this.lastLook.began);
  }

  /**
   * The database's clock, milliseconds, or earlier: the time that the last successful look read, plus our time since its
   * answer was here. Undefined before the first successful look.
   */
  databaseNowAtLeast(): number | undefined {
    // the monotonic clock, because it never steps ahead
    return this.lastLook && this.lastLook.now + (this.clock.monotonicNow() - this.lastLook.answeredAt);
  }

  /** Reads the new logouts from the database now. Resolves also when the look fails. */
  async look(): Promise<void> {
    const began = this.clock.moment();
    try {
      if (this.settings.answers) await this.declaration.renew(began);
      const since = this.lastLook?.now ?? (await this.repository.findNow());
      const first = await this.findAfter({ changedAt: since - OVERLAP, id: '' });
      const answeredAt = this.clock.monotonicNow();
      if (this.isClosed()) return;
      // if memory begins with this look, it reads each session later, and that read sees the older logouts
      const neededSince = this.begin(first) ? first.now - OVERLAP : 0;
      for (let page = first; ;) {
        this.take(page.logouts, neededSince);
        const last = page.logouts.at(-1);
        if (!page.more || last === undefined) break;
        page = await this.findAfter(last);
        if (this.isClosed()) return;
      }
      this.finish(first, answeredAt);
    } catch (error) {
      this.fail(error, began);
    }
  }

  private findAfter(position: Pick<RecordedLogout, 'changedAt' | 'id'>): Promise<LogoutChanges> {
    return this.repository.findChanges(this.declaration.replicaId, position);
  }

  /** Decides from the first page of a look whether memory begins anew. @returns whether it does */
  private begin({ now, sent, knowsReplica, more }: LogoutChanges): boolean {
    // without our declaration, this may be another database, for example after a failover
    const declarationLost = this.settings.answers && !knowsReplica;
    const steppedOrSlow = this.steppedOrSlow(now, sent);
    // if the database's clock stepped ahead, our declaration looks too old: declare again at the next look
    if (declarationLost || (steppedOrSlow && this.lastLook !== undefined)) this.declaration.lose();
    // memory is too old to answer, and there are many new logouts: it is cheaper to read the sessions again
    const awayForLong = more && this.usableGeneration === undefined;
    const anew = steppedOrSlow || declarationLost || awayForLong || this.state.mode !== 'following';
    if (anew) {
      this.currentGeneration += 1;
      this.recent.clear();
    }
    return anew;
  }

  private take(logouts: readonly RecordedLogout[], neededSince: number): void {
    this.bus.publishFound(logouts.filter((logout) => logout.changedAt < neededSince || this.recent.add(logout)));
  }

  private finish({ now, sent }: LogoutChanges, answeredAt: number): void {
    this.recent.forget(now - this.settings.retention - OVERLAP);
    if (this.state.mode === 'failing') this.logger.log('This replica reads the logouts of other replicas again.');
    this.state = { mode: 'following', lastLook: { began: sent, now, answeredAt } };
  }

  private isClosed(): boolean {
    return this.state.mode === 'closed';
  }

  private get lastLook(): Look | undefined {
    return 'lastLook' in this.state ? this.state.lastLook : undefined;
  }

  private fail(error: unknown, began: Moment): void {
    // after a failover, the new database may not have our declaration
    this.declaration.lose();
    const { state } = this;
    if (state.mode === 'failing' || state.mode === 'closed') return;
    this.state = { mode: 'failing', since: 'since' in state ? state.since : began, lastLook: this.lastLook };
    const meanwhile = this.settings.answers
      ? 'so every request asks the database'
      : 'and will close its sockets and streams if this goes on';
    this.logger.warn(`This replica can't read the logouts of other replicas, ${meanwhile}: ${String(error)}`);
  }

  /** Whether a look was too slow, or the database's clock has stepped since the look before: it may miss logouts. */
  private steppedOrSlow(now: number, sent: Moment): boolean {
    const expected = this.databaseNow();
    const took = this.clock.ageOf(sent);
    if (expected === undefined || took > MAX_LOOK_DURATION) return true;
    return Math.abs(now - expected) > MAX_CLOCK_STEP + took;
  }
}
