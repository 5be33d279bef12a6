import { type SessionDatabase } from '../database/session-database.js';
import { type Lane, type Turn } from '../database/statement-queue.js';
import { OwnContext } from '../own-context.js';

/** The part of the database that a {@link Gatherer} needs. */
export type TurnSource = Pick<SessionDatabase, 'clock' | 'inTurn'>;

export interface GatheringSettings<Request> {
  /** The lane of the database's queue. It limits how many groups are under way at the same time. */
  readonly lane: Lane;
  /** The largest sum of sizes in one group; a group has at least one request. */
  readonly maxSize: number;
  readonly sizeOf: (request: Request) => number;
}

interface Caller<Request, Result> {
  readonly request: Request;
  readonly resolve: (result: Result | PromiseLike<Result>) => void;
  readonly reject: (reason: unknown) => void;
}

interface Group<Request, Result> {
  readonly callers: Caller<Request, Result>[];
  /** Milliseconds of the monotonic clock. */
  readonly openedAt: number;
  size: number;
}

/** How long a waiting group takes new requests, milliseconds. A later request would have too little time to wait. */
const JOINED_FOR = 250;

/**
 * Gathers the requests of many callers into groups, and sends each group as one statement. A lone request is sent in the
 * same turn of the event loop. While the lane has no free connection, later requests join the group that waits.
 *
 * A group closes when its statement is sent, so its statement begins after each of its requests. When a group fails, all
 * its callers fail.
 */
export class Gatherer<Request, Result> {
  /** The group that new requests join. */
  private open: Group<Request, Result> | undefined;
  private readonly context = new OwnContext();

  constructor(
    private readonly database: TurnSource,
    private readonly settings: GatheringSettings<Request>,
    /** Sends one group. @returns one result for each request, in the same order */
    private readonly send: (
      requests: readonly Request[],
      turn: Turn,
    ) => Promise<readonly (Result | PromiseLike<Result>)[]>,
  ) {}

  /** @throws what `send` throws for the group; {@link StoreUnavailableError} when the database is too busy */
  add(request: Request): Promise<Result> {
    const size = this.settings.sizeOf(request);
    return new Promise((resolve, reject) => {
      const group = this.groupFor(size);
      group.size += size;
      group.callers.push({ request, resolve, reject });
    });
  }

  private groupFor(size: number): Group<Request, Result> {
    const { open } = this;
    const now = this.database.clock.monotonicNow();
    const fits = open !== undefined && open.size + size <= this.settings.maxSize;
    if (fits && now - open.openedAt < JOINED_FOR) return open;
    const group = { callers: [], openedAt: now, size: 0 };
    this.open = group;
    void this.sendWhenFree(group);
    return group;
  }

  private async sendWhenFree(group: Group<Request, Result>): Promise<void> {
    const { callers } = group;
    const close = () => {
      if (this.open === group) this.open = undefined;
    };
    try {
      // SQLite's driver is synchronous: other callers can join only before the statement starts
      await this.database.clock.endOfTurn();
      await this.database.inTurn(this.settings.lane, async (turn) => {
        close();
        const requests = callers.map(({ request }) => request);
        const send = () => this.send(requests, turn);
        // a statement of several callers belongs to none of them
        const results = await (callers.length === 1 ? send() : this.context.run(send));
        callers.forEach(({ resolve }, n) => resolve(results[n] as Result | PromiseLike<Result>));
      });
    } catch (error) {
      close();
      for (const { reject } of callers) reject(error);
    }
  }
}
