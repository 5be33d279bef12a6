import { type Clock, type Moment, type Timer } from '../clock.js';

interface LaneLimits {
  /** How many connections its statements may hold at the same time, of all connections of the pool. */
  connections(all: number): number;
  /** How long a statement may wait for a connection, milliseconds. */
  readonly waitMs: number;
}

/** The kinds of statements, the most urgent first. */
const LANES = {
  /** Records logouts, and asks what OneID's 200 must wait for. Logouts that wait share a statement. */
  logout: { connections: (all) => Math.min(all, 4), waitMs: 3_000 },
  /** Reads the logouts of other replicas, and declares this replica. */
  look: { connections: (all) => all, waitMs: 3_000 },
  /** Sign-ins, lists, tokens, the purge: leaves a connection to the logouts. */
  work: { connections: (all) => Math.max(1, all - 1), waitMs: 3_000 },
  /** The guard's checks: few connections, because many checks share one statement. */
  check: { connections: (all) => (all < 3 ? 1 : 2), waitMs: 1_000 },
} as const satisfies Record<string, LaneLimits>;

export type Lane = keyof typeof LANES;

const LANE_NAMES = Object.keys(LANES) as Lane[];

/** How many statements may wait in one lane. The queue refuses more at once. */
const MAX_WAITING = 1_000;

/**
 * Pause after a failed connection, and between two attempts to use more connections, milliseconds: a database that is
 * down or full gets few new connections.
 */
const CONNECT_PAUSE = 100;

/** The right to use one connection of the pool. */
export class Turn {
  private held = 0;

  constructor(
    /** When the queue gave this turn. The caller sends its statements later. */
    readonly began: Moment,
    private readonly end: () => void,
  ) {}

  /** Keeps the turn until the work has ended. The turn ends with the last work that holds it. */
  hold<T>(work: Promise<T>): Promise<T> {
    this.held += 1;
    const release = () => {
      this.held -= 1;
      if (this.held === 0) this.end();
    };
    work.then(release, release);
    return work;
  }
}

interface Waiting {
  readonly grant: (turn: Turn) => void;
  readonly refuse: (reason: Error) => void;
  readonly timer: Timer;
}

/**
 * Stands in front of the driver's pool, and gives a connection to the most urgent statement that waits. So checks never
 * hold up a logout, and a statement that waits too long fails without harm to any connection.
 */
export class StatementQueue {
  private readonly waiting: Record<Lane, Set<Waiting>> = {
    logout: new Set(),
    look: new Set(),
    work: new Set(),
    check: new Set(),
  };
  private readonly running: Record<Lane, number> = { logout: 0, look: 0, work: 0, check: 0 };
  private runningInAll = 0;
  /** Why the library could not connect; undefined once a connection works. */
  private failure: Error | undefined;
  /** How many statements may run now: after a failed connection, no more than the connections that work. */
  private allowed: number;
  /** When one more statement may run, by the monotonic clock. */
  private moreAt = -Infinity;

  /** @param connections how many connections the pool has at most */
  constructor(
    private readonly connections: number,
    private readonly clock: Clock,
  ) {
    this.allowed = connections;
  }

  /**
   * Waits for a turn. The caller must pass some work to {@link Turn.hold} at once.
   *
   * @throws {Error} the database is too busy, or the library could not connect to it a moment ago
   */
  async next(lane: Lane): Promise<Turn> {
    const { failure } = this;
    const isDown = failure !== undefined && this.runningInAll === 0;
    if (isDown && this.clock.monotonicNow() < this.moreAt) throw failure;
    // no statement of this lane waits then, because each end of a turn gives the next ones
    if (this.hasFree(lane)) return this.begin(lane);
    const { waitMs } = LANES[lane];
    const waiting = this.waiting[lane];
    if (waiting.size >= MAX_WAITING) throw new Error(`${MAX_WAITING} statements already wait for a connection`);
    return new Promise<Turn>((grant, refuse) => {
      const timer = this.clock.after(waitMs, () => {
        waiting.delete(entry);
        refuse(new Error(`The statement waited longer than ${waitMs} ms for a connection`));
      });
      const entry: Waiting = { grant, refuse, timer };
      waiting.add(entry);
    });
  }

  /**
   * A statement that runs tells that the library could not connect for it. When no other statement runs, the database is
   * down, and the statements that wait fail with this reason. Otherwise they wait for the connections of the others.
   */
  connectionFailed(reason: Error): void {
    this.failure = reason;
    const others = this.runningInAll - 1;
    this.allowed = Math.max(1, others);
    this.moreAt = this.clock.monotonicNow() + CONNECT_PAUSE;
    if (others > 0) return;
    for (const lane of LANE_NAMES) {
      for (const entry of this.waiting[lane]) {
        this.take(lane, entry);
        entry.refuse(reason);
      }
    }
  }

  /** A statement that runs tells that its connection works. */
  connectionWorks(): void {
    this.failure = undefined;
    const now = this.clock.monotonicNow();
    if (this.allowed >= this.connections || now < this.moreAt) return;
    this.allowed += 1;
    this.moreAt = now + CONNECT_PAUSE;
    this.grantNext();
  }

  private grantNext(): void {
    for (const lane of LANE_NAMES) {
      for (const entry of this.waiting[lane]) {
        if (!this.hasFree(lane)) break;
        this.take(lane, entry);
        entry.grant(this.begin(lane));
      }
    }
  }

  private hasFree(lane: Lane): boolean {
    return this.runningInAll < this.allowed && this.running[lane] < LANES[lane].connections(this.connections);
  }

  private begin(lane: Lane): Turn {
    this.running[lane] += 1;
    this.runningInAll += 1;
    return new Turn(this.clock.moment(), () => {
      this.running[lane] -= 1;
      this.runningInAll -= 1;
      this.grantNext();
    });
  }

  private take(lane: Lane, entry: Waiting): void {
    this.waiting[lane].delete(entry);
    entry.timer.cancel();
  }
}
