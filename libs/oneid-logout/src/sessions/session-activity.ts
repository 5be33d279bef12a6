import { BackgroundJob } from '../background-job.js';
import { type Clock } from '../clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type Random } from '../random.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import { type Session, type SessionUsage } from '../rule/session.js';
import { type ActivityRepository } from '../store/activity.repository.js';

/** How often to record uses: this part of the step of {@link IdleLimit}, and milliseconds at the longest. */
const PART_OF_STEP = 8;
const LONGEST_INTERVAL = 5_000;

/** The most sessions in one statement. */
const BATCH = 256;

/** How many uses may wait to be recorded. A use beyond them is not noted; the session's next use may be. */
const MOST_WAITING = 100_000;

/** A use that waits to be recorded: the database's clock, milliseconds. */
interface Use {
  readonly usedAt: number;
  /** Whether the database has no recorded use of the session yet. */
  readonly isFirst: boolean;
  readonly onRecorded: SessionUsage['onRecorded'];
}

type WaitingUse = readonly [sessionId: string, use: Use];

/** The oldest use first. */
type Batch = readonly [WaitingUse, ...WaitingUse[]];

/**
 * Records the uses of sessions for the option `maxIdleSeconds`: coarsely, in batches, and never while a request waits.
 * {@link IdleLimit} says how much of the idle time this may cost.
 */
export class SessionActivity extends BackgroundJob {
  /** The uses that are not recorded yet, by session id, the longest noted first. */
  private readonly waiting = new Map<string, Use>();

  constructor(
    private readonly repository: ActivityRepository,
    private readonly limit: IdleLimit,
    clock: Clock,
    random: Random,
  ) {
    const interval = Math.min(limit.step / PART_OF_STEP, LONGEST_INTERVAL);
    super('recording when sessions were used', interval, clock, random);
  }

  /** Notes a use of an alive session at the time of this check, unless a recorded use is recent enough. */
  note({ id, registeredAt }: Session, { recordedAt, checkedAt, onRecorded }: SessionUsage): void {
    const unusedMs = checkedAt - recordedAt;
    if (!this.limit.isDue(unusedMs)) return;
    const noted = this.waiting.get(id);
    // while the store fails, the use that waits becomes too old
    if (noted !== undefined && checkedAt - noted.usedAt <= this.limit.spread) return;
    this.waiting.delete(id);
    if (this.waiting.size >= MOST_WAITING) return;
    this.waiting.set(id, { usedAt: checkedAt, isFirst: recordedAt === registeredAt, onRecorded });
    if (this.limit.isNearEnd(unusedMs)) void this.wake();
  }

  /** Records the uses that wait. Call it when no request comes any more, and before the database is closed. */
  override async stop(): Promise<void> {
    await super.stop();
    await this.record();
  }

  protected work(): Promise<void> {
    return this.record();
  }

  private async record(): Promise<void> {
    const waiting = [...this.waiting];
    const batches = [
      ...this.batchesOf(waiting.filter(([, { isFirst }]) => isFirst)),
      ...this.batchesOf(waiting.filter(([, { isFirst }]) => !isFirst)),
    ];
    for (const batch of batches) {
      try {
        await this.recordBatch(batch);
      } catch (error) {
        // the next run tries again; the log has the reason from the database
        if (error instanceof StoreUnavailableError) return;
        throw error;
      }
      for (const [id, use] of batch) if (this.waiting.get(id) === use) this.waiting.delete(id);
    }
  }

  private async recordBatch(batch: Batch): Promise<void> {
    const ids = batch.map(([id]) => id);
    const [, { usedAt, isFirst }] = batch[0];
    const recorded = isFirst ? await this.repository.recordFirst(ids, usedAt) : 0;
    // another replica may have recorded an earlier use since this replica read that there was none
    if (recorded < ids.length) await this.repository.recordNext(ids, usedAt);
    await this.tellMemory(batch);
  }

  /** Memory learns what the database holds: it may have refused a use, or know a later one of another replica. */
  private async tellMemory(batch: Batch): Promise<void> {
    const remembered = batch.filter(([, { onRecorded }]) => onRecorded !== undefined);
    if (remembered.length === 0) return;
    const uses = await this.repository.findUses(remembered.map(([id]) => id));
    for (const [id, { onRecorded }] of remembered) {
      const recordedAt = uses.get(id);
      if (recordedAt !== undefined) onRecorded?.(recordedAt);
    }
  }

  /** Each batch has uses at about the same time, because its statement gives all of them the time of the oldest. */
  private batchesOf(uses: readonly WaitingUse[]): Batch[] {
    const batches: [WaitingUse, ...WaitingUse[]][] = [];
    for (const use of uses.toSorted(([, a], [, b]) => a.usedAt - b.usedAt)) {
      const open = batches.at(-1);
      const isNear = open !== undefined && use[1].usedAt - open[0][1].usedAt <= this.limit.spread;
      if (isNear && open.length < BATCH) open.push(use);
      else batches.push([use]);
    }
    return batches;
  }
}
