import { type Timer } from '../../libs/oneid-logout/src/clock.js';
import { Random } from '../../libs/oneid-logout/src/random.js';
import { type Prng } from './prng.js';
import { type Actor, type PlannedEvent, type World } from './world.js';
import { TimerClock } from '../support/timer-clock.js';

/** What all wall clocks show when a run begins, milliseconds since the epoch: 2027-01-15. */
export const EPOCH = 1_800_000_000_000;

/** How much too early and too late a timer fires, milliseconds. Node's timers count whole milliseconds. */
const EARLY = 0.9;
const LATE = 2;

/** The clocks and timers of one simulated process. */
export class VirtualClock extends TimerClock {
  /** How far the wall clock is ahead of the world's time, milliseconds. */
  aheadMs = 0;
  /** For how long the machine was suspended: the monotonic clock stood still, milliseconds. */
  suspendedMs = 0;

  constructor(
    private readonly world: World,
    private readonly actor: Actor,
    private readonly prng: Prng,
  ) {
    super();
  }

  override now(): number {
    return Math.floor(EPOCH + this.world.now + this.aheadMs);
  }

  override monotonicNow(): number {
    return this.world.now - this.suspendedMs;
  }

  override after(milliseconds: number, run: () => void): Timer {
    const due = this.monotonicNow() + Math.max(1, milliseconds);
    let planned: PlannedEvent;
    const plan = (time: number) => {
      planned = this.world.at(time, fire, this.actor, true);
    };
    const fire = () => {
      const left = due - this.monotonicNow();
      // the machine was suspended meanwhile
      if (left > EARLY) plan(this.world.now + left);
      else run();
    };
    plan(this.world.now + Math.max(1, milliseconds) + this.prng.between(-EARLY, LATE));
    return { cancel: () => planned.cancel() };
  }

  override endOfTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.world.at(this.world.now, resolve, this.actor);
    });
  }
}

/** The chance of one simulated process. */
export class SimulatedRandom extends Random {
  constructor(private readonly prng: Prng) {
    super();
  }

  override bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.prng.whole(0, 255)));
  }

  override fraction(): number {
    return this.prng.fraction();
  }
}
