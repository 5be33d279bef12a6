/** A process of the simulated world: it can stand still for a while, and end. */
export interface Actor {
  /** Its event loop runs no callback before this time, milliseconds of the world. */
  stalledUntil: number;
  /** After a stall: do its timers run before the answers that have come meanwhile? */
  timersFirst: boolean;
  /** It runs no callback any more. */
  gone: boolean;
}

export interface PlannedEvent {
  cancel(): void;
}

interface Entry {
  time: number;
  /** Decides between events of one time: the smaller one runs first. */
  rank: number;
  readonly order: number;
  readonly isTimer: boolean;
  readonly actor: Actor | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/**
 * Simulated time. It runs the planned events one after another, the earliest first. Before each next event it lets all
 * promises of the code settle, so one event's consequences never depend on the speed of this machine.
 */
export class World {
  /** Milliseconds since the run began. */
  now = 0;
  private readonly heap: Entry[] = [];
  private planned = 0;

  /**
   * @param time milliseconds of the world; a time that is past counts as now
   * @param actor the process in which it happens: not while the process stands still, and never after its end
   */
  at(time: number, run: () => void, actor?: Actor, isTimer = false): PlannedEvent {
    this.planned += 1;
    const order = this.planned;
    const entry: Entry = { time: Math.max(time, this.now), rank: 0, order, isTimer, actor, run, cancelled: false };
    this.push(entry);
    return { cancel: () => (entry.cancelled = true) };
  }

  after(milliseconds: number, run: () => void, actor?: Actor): PlannedEvent {
    return this.at(this.now + milliseconds, run, actor);
  }

  /** Runs all events until this time, milliseconds of the world. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      const [next] = this.heap;
      if (next === undefined || next.time > end) break;
      this.pop();
      if (next.cancelled || next.actor?.gone) continue;
      const stalledUntil = next.actor?.stalledUntil ?? 0;
      if (stalledUntil > next.time) {
        next.time = stalledUntil;
        next.rank = next.isTimer === next.actor?.timersFirst ? 1 : 2;
        this.push(next);
        continue;
      }
      this.now = next.time;
      next.run();
      await settled();
    }
    this.now = end;
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      const right = heap[childAt + 1];
      if (right !== undefined && isBefore(right, child)) {
        childAt += 1;
        child = right;
      }
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}

/** Resolves when no promise is left that can go on: Node runs this callback when the queue of promises is empty. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(one: Entry, other: Entry): boolean {
  if (one.time !== other.time) return one.time < other.time;
  return one.rank === other.rank ? one.order < other.order : one.rank < other.rank;
}
