import { BackgroundJob } from '../background-job.js';
import { type Clock, type Moment } from '../clock.js';
import { Logger } from '../logger.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type Random } from '../random.js';
import { everyoneTargetOf } from '../rule/targets.js';
import { MAX_CLOCK_DIFFERENCE } from '../store/clock-difference.js';
import { type RecordingTimeRepository, type RecordingTimes } from '../store/recording-time.repository.js';
import { type LogoutRecorder } from './logout-recorder.js';

/**
 * How often a replica writes at least that it can record logouts, milliseconds. Also after the random quarter of a
 * background job, this is less than the smallest value of the option, which another replica may have.
 */
const INTERVAL = 3_000;

/** A replica writes so many times in the option's time, so that one failed write is no outage. */
const WRITES_PER_OUTAGE = 4;

/** The part of the option's time for which a replica's last write proves that there is no outage. */
const PROOF = 0.9;

/** How often one run writes: another replica may end the outage, or begin to write, at the same time. */
const ATTEMPTS = 3;

type Client = Readonly<Record<'issuer' | 'clientId' | 'target', string>>;

export interface OutageSettings {
  /** Undefined: an outage ends no session. */
  readonly reconfirmAfterOutageSeconds?: number | undefined;
}

/** Provides the {@link OutageSettings} of a registration. */
export const OUTAGE_SETTINGS = Symbol('oneid-logout outage settings');

/**
 * Notices that no replica could record OneID's logouts for a while, because the app or its database was down. OneID gives
 * up after a few tries, so those logouts are lost. The library then ends all sessions of that time as `unconfirmed`: at
 * the next sign-in OneID says who is still signed in there.
 *
 * The database holds, for each client, until when its logouts could be recorded. Every replica moves this time on, and
 * only a replica that finds it too old acts: it first records the logout, and only then moves the time on. After a crash in
 * between, the next replica finds the same outage again, and the same logout.
 *
 * Start it only in a process that takes logouts: a command that writes while the app is down would hide the outage. Without
 * the option, a replica only goes on writing the times that the database has: a replica that has the option, now or later,
 * must not take this time for an outage. Such a replica may come and go, so this one looks again and again for times.
 *
 * A check asks no database for this: {@link sureGeneration} is defined while the replica's own last write is young enough
 * to prove that no outage is open. Otherwise {@link confirm} waits until this replica has written again.
 */
export class OutageWatch extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  private readonly clients: readonly Client[];
  private readonly targets: readonly string[];
  /** Infinity when an outage ends no session. */
  private readonly maxOutageMs: number;
  /** When the last write that succeeded was sent. */
  private written: Moment | undefined;
  private generation = 0;
  private failure: unknown;

  /** @param catchUp makes memory that answers checks learn of all logouts that are recorded by now */
  constructor(
    private readonly times: RecordingTimeRepository,
    private readonly recorder: LogoutRecorder,
    clients: readonly Pick<Client, 'issuer' | 'clientId'>[],
    { reconfirmAfterOutageSeconds = Infinity }: OutageSettings,
    private readonly catchUp: () => Promise<void>,
    clock: Clock,
    random: Random,
  ) {
    const maxOutageMs = reconfirmAfterOutageSeconds * 1000;
    const interval = Math.min(INTERVAL, maxOutageMs / WRITES_PER_OUTAGE);
    super('writing that logouts can be recorded', interval, clock, random);
    this.maxOutageMs = maxOutageMs;
    this.clients = clients.map(({ issuer, clientId }) => {
      return { issuer, clientId, target: everyoneTargetOf(issuer, clientId).target };
    });
    this.targets = this.clients.map(({ target }) => target);
  }

  /** Writes a last time that logouts can be recorded. Call it when the app takes no more logouts. */
  async close(): Promise<void> {
    await this.stop();
    // an outage that this replica has not ended yet stays: the next replica ends it
    if (this.written !== undefined && this.isSure())
      await this.times.extend(this.targets, this.maxAgeMs).catch(() => undefined);
  }

  /** Does an outage end sessions? */
  get isOn(): boolean {
    return this.maxOutageMs !== Infinity;
  }

  /**
   * A number while it is sure that no outage is open, else undefined. While it stays the same, no replica has ended an
   * outage: an answer that was asked for before, and that comes now, is of no time before such a logout.
   */
  get sureGeneration(): number | undefined {
    return this.isSure() ? this.generation : undefined;
  }

  /**
   * Resolves when it is sure that no outage is open: an outage before has its logout by then.
   *
   * @throws {StoreUnavailableError} this replica can't write
   */
  async confirm(): Promise<void> {
    if (this.isSure()) return;
    // callers at the same time share the run that is under way
    await this.run;
    if (!this.isSure()) await this.wake();
    if (!this.isSure()) throw new StoreUnavailableError(this.failure);
  }

  protected async work(): Promise<void> {
    const sent = this.clock.moment();
    try {
      const written = await this.write();
      this.failure = undefined;
      if (!written) return;
      // by now, also another replica may have ended an outage
      if (!this.isSure()) {
        await this.catchUp();
        this.generation += 1;
      }
      this.written = sent;
    } catch (error) {
      const isFirst = this.failure === undefined;
      this.failure = error;
      // the log needs one line for an outage, and not one for each try
      if (isFirst) throw error;
    }
  }

  /** @returns false when the database has no times, and this replica does not begin to write them */
  private async write(): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const written = await this.times.extend(this.targets, this.maxAgeMs);
      if (written === this.targets.length || (!this.isOn && written > 0)) return true;
      if (!this.isOn) return false;
      const found = await this.times.find(this.targets);
      for (const client of this.clients) await this.settle(client, found);
    }
    throw new StoreUnavailableError(new Error('The database is read-only, or autocommit is off'));
  }

  private async settle(client: Client, { now, until }: RecordingTimes): Promise<void> {
    const { issuer, clientId, target } = client;
    const recordableUntil = until.get(target);
    if (recordableUntil === undefined) return this.times.begin(target);
    const outageMs = now - recordableUntil;
    if (outageMs <= this.maxOutageMs) return;
    const lasted = `for ${Math.round(outageMs / 1000)} s, until ${new Date(now).toISOString()}`;
    if (this.clockWasSet(now)) {
      this.logger.warn(
        `By the database's clock, no replica could record logouts of ${clientId} at ${issuer} ${lasted}. But this clock ` +
          'has been set, or it differs from the clock of this host by more than a minute. So the library ends no session.',
      );
    } else {
      await this.recorder.endUnconfirmed(issuer, clientId, recordableUntil);
      this.logger.warn(
        `No replica could record logouts of ${clientId} at ${issuer} ${lasted}. OneID may have given up logouts ` +
          'meanwhile, so all sessions of before are over with the reason unconfirmed: their users sign in again.',
      );
    }
    await this.times.resume(target, recordableUntil);
  }

  private isSure(): boolean {
    return !this.isOn || this.hasWrittenWithin(this.maxOutageMs * PROOF);
  }

  private hasWrittenWithin(milliseconds: number): boolean {
    return this.written !== undefined && this.clock.ageOf(this.written) <= milliseconds;
  }

  /** @param now the database's clock, by which there was an outage, milliseconds */
  private clockWasSet(now: number): boolean {
    return this.hasWrittenWithin(this.maxOutageMs) || Math.abs(now - this.clock.now()) > MAX_CLOCK_DIFFERENCE;
  }

  /** As a parameter of SQL. */
  private get maxAgeMs(): number {
    return this.isOn ? this.maxOutageMs : Number.MAX_SAFE_INTEGER;
  }
}
