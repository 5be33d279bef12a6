import { type Clock, type Timer } from './clock.js';
import { Logger } from './logger.js';

/** Shortest time between two warnings, milliseconds. */
const PAUSE = 60_000;

/** Counts events, and warns of them at most once a minute: of the first one at once, of the others together. */
export class CountedWarning {
  private readonly logger = new Logger('OneIdLogout');
  private count = 0;
  private pause: Timer | undefined;

  /** @param textOf the warning for this many events; anyone may cause them, so it must not repeat what they bring */
  constructor(
    private readonly clock: Clock,
    private readonly textOf: (count: number) => string,
  ) {}

  add(): void {
    this.count += 1;
    if (this.pause === undefined) this.warn();
  }

  /** Warns of what is counted, and leaves no timer. */
  close(): void {
    this.pause?.cancel();
    this.warn();
    this.pause?.cancel();
  }

  private warn(): void {
    this.pause = undefined;
    if (this.count === 0) return;
    this.logger.warn(this.textOf(this.count));
    this.count = 0;
    this.pause = this.clock.after(PAUSE, () => this.warn());
  }
}
