import { Injectable } from '@nestjs/common';
import { Clock, type Moment } from '../clock.js';

/**
 * Longest time from the arrival of a logout token to the answer, milliseconds: Keycloak hangs up after five seconds and
 * does not send the token again, and Hydra hangs up later.
 */
const LONGEST = 4_000;

/** A token that is undecided after this time waits for the provider or the database, milliseconds. */
const ORDINARY = 250;

/** How many answers may wait for a decision at the same time: a stranger can send tokens that the replica can't decide yet. */
export const MOST_WAITING = 50;

/** Limits how long answers wait for a decision, and how many wait. */
@Injectable()
export class AnswerTimes {
  private waiting = 0;

  constructor(private readonly clock: Clock) {}

  /** A request has arrived. Call {@link AnswerTime.end} when its answer is made. */
  begin(): AnswerTime {
    return new AnswerTime(this, this.clock, this.clock.moment());
  }

  /** @returns false when too many answers wait already */
  takePlace(): boolean {
    if (this.waiting >= MOST_WAITING) return false;
    this.waiting += 1;
    return true;
  }

  freePlace(): void {
    this.waiting -= 1;
  }
}

/** The time that one answer may take. */
export class AnswerTime {
  private hasPlace = false;

  constructor(
    private readonly times: AnswerTimes,
    private readonly clock: Clock,
    readonly receivedAt: Moment,
  ) {}

  /** Milliseconds until the answer must be sent. */
  get left(): number {
    return this.receivedAt.monotonic + LONGEST - this.clock.monotonicNow();
  }

  /** Has this answer waited for a decision? Then what follows must end in time, too. */
  get hasWaited(): boolean {
    return this.hasPlace;
  }

  /** @returns false when too many answers wait already */
  takePlace(): boolean {
    this.hasPlace ||= this.times.takePlace();
    return this.hasPlace;
  }

  /** Waits for work that is ordinarily done soon. If it is not, the answer needs a place among those that wait. */
  async forDecision<T>(work: Promise<T>, overdue: () => Error): Promise<T> {
    const soon = await this.within(ORDINARY, work);
    if (soon !== undefined) return soon.result;
    if (!this.takePlace()) throw overdue();
    return this.inTime(work, overdue);
  }

  /** @throws the error of `overdue`, when the work does not end in time; the work goes on */
  async inTime<T>(work: Promise<T>, overdue: () => Error): Promise<T> {
    const done = await this.within(this.left, work);
    if (done === undefined) throw overdue();
    return done.result;
  }

  end(): void {
    if (this.hasPlace) this.times.freePlace();
    this.hasPlace = false;
  }

  /** @returns undefined when the work takes longer */
  private within<T>(milliseconds: number, work: Promise<T>): Promise<{ readonly result: T } | undefined> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(Math.max(0, milliseconds), () => resolve(undefined));
      void work.then((result) => resolve({ result }), reject).finally(() => timer.cancel());
    });
  }
}
