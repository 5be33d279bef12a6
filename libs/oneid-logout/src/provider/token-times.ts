import { Logger } from '../logger.js';
import { type Clock, type Moment } from '../clock.js';

/** The times of a token, seconds. */
export interface TimeClaims {
  readonly iat: number;
  readonly exp?: number | undefined;
}

export type TimeFault = 'issued_in_future' | 'too_old' | 'expired';

/** How long a reading of the database's clock is used, milliseconds: replayed tokens must not flood the database. */
const READING_MAX_AGE = 2_000;

/** Shortest time between two warnings of a wrong clock, milliseconds. */
const WARNING_PAUSE = 60_000;

interface Reading {
  /** The database's clock, milliseconds. */
  readonly databaseTime: number;
  readonly askedAt: Moment;
  readonly answeredAt: Moment;
}

/**
 * Judges the times of tokens. The times must be right by this host's clock or by the database's clock: a logout token
 * that is refused is lost, so the refusal needs both clocks.
 */
export class TokenTimes {
  private readonly logger = new Logger('OneIdLogout');
  /** Not a `CachedResource`: after a failure it would return an old reading, and a wrong refusal loses a logout. */
  private reading: Promise<Reading> | undefined;
  private lastReading: Reading | undefined;
  private silentUntil = 0;

  constructor(
    private readonly clock: Clock,
    /** How far two clocks may differ, seconds. */
    readonly toleranceSeconds: number,
    /** Returns the database's clock, milliseconds. */
    private readonly readDatabaseClock: () => Promise<number>,
  ) {}

  /**
   * Call it only for a token whose signature is valid: it may ask the database.
   *
   * @param maxAge seconds from `iat`
   * @param receivedAt the times count at this moment, also when they are judged later
   * @returns the fault by the database's clock; undefined when the times are right by one of the two clocks
   * @throws {StoreUnavailableError} 503: the times are wrong by this host's clock, and the database can't be asked
   */
  async findFault(
    claims: TimeClaims,
    maxAge: number,
    receivedAt: Moment = this.clock.moment(),
  ): Promise<TimeFault | undefined> {
    if (this.faultAt(receivedAt.wall, claims, maxAge) === undefined) return undefined;
    // one of the clocks may have stepped or stood still since the receipt, so its age lies between these two
    const longestAgo = this.clock.ageOf(receivedAt);
    const shortestAgo = this.clock.monotonicNow() - receivedAt.monotonic;
    const { earliest, latest } = await this.databaseTime();
    const fault =
      this.faultAt(earliest - longestAgo, claims, maxAge) && this.faultAt(latest - shortestAgo, claims, maxAge);
    if (fault === undefined) this.warn(earliest - this.clock.now());
    return fault;
  }

  /**
   * The latest time at which a token may have been issued, milliseconds: if the provider's clock is behind ours, the
   * token is newer than its `iat` says. A token is up to a second newer than its `iat` in any case.
   */
  latestIssueMs(iat: number): number {
    return (Math.floor(iat) + 1 + this.toleranceSeconds) * 1000;
  }

  private faultAt(time: number, { iat, exp }: TimeClaims, maxAge: number): TimeFault | undefined {
    const now = Math.floor(time / 1000);
    if (exp !== undefined && exp <= now - this.toleranceSeconds) return 'expired';
    if (iat > now + this.toleranceSeconds) return 'issued_in_future';
    return now - iat > maxAge + this.toleranceSeconds ? 'too_old' : undefined;
  }

  /**
   * The database's clock now lies between these two times: the database reads its clock between question and answer.
   * Counts on from a recent reading by the monotonic clock, so a step of the wall clock does not matter.
   */
  private async databaseTime(): Promise<{ readonly earliest: number; readonly latest: number }> {
    const recent = this.lastReading;
    const isRecent = recent !== undefined && this.clock.ageOf(recent.askedAt) < READING_MAX_AGE;
    const { databaseTime, askedAt, answeredAt } = isRecent ? recent : await this.readOnce();
    const now = databaseTime + this.clock.monotonicNow();
    return { earliest: now - answeredAt.monotonic, latest: now - askedAt.monotonic };
  }

  /** Callers at the same time share one query. */
  private readOnce(): Promise<Reading> {
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async read(): Promise<Reading> {
    const askedAt = this.clock.moment();
    const databaseTime = await this.readDatabaseClock();
    this.lastReading = { databaseTime, askedAt, answeredAt: this.clock.moment() };
    return this.lastReading;
  }

  private warn(difference: number): void {
    const now = this.clock.monotonicNow();
    if (now < this.silentUntil) return;
    this.silentUntil = now + WARNING_PAUSE;
    this.logger.warn(
      "A token is valid by the database's clock only: this host's clock differs from it by " +
        `${Math.round(Math.abs(difference) / 1000)} s. Set the wrong clock right.`,
    );
  }
}
