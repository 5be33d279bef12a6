import { setTimeout as delay } from 'node:timers/promises';
import { History, type Status, type Trouble, type Violations } from './history.js';
import { type Login, type ReplicaFleet } from './replica-fleet.js';
import { until } from './until.js';

const WRITERS = 3;
const BYSTANDERS = 3;
const GUESTS = 4;

/** How many of those who left last the readers still ask for. */
const LEFT_LATELY = 8;

/** Between two rounds of a reader, milliseconds: the replicas share a machine, and each needs to get its turn. */
const READER_PAUSE = 100;

export interface TroubleSettings extends Pick<Trouble, 'what' | 'replicas' | 'permits' | 'within'> {
  /** OneID's requests don't get to these replicas meanwhile. */
  readonly undeliverable?: boolean;
}

/**
 * Users who stay, and users who come and leave, at all replicas of a fleet at once; OneID, which tells of those who
 * leave until it has its 200; and readers who never stop asking every replica for all of them.
 */
export class Traffic {
  readonly history = new History();
  private readonly bystanders: Login[] = [];
  private readonly leaving: Login[] = [];
  private readonly loops: Promise<void>[] = [];
  private readonly unreachable = new Set<number>();
  private stopped = false;
  private turn = 0;

  private constructor(private readonly fleet: ReplicaFleet) {}

  static async start(fleet: ReplicaFleet): Promise<Traffic> {
    const traffic = new Traffic(fleet);
    for (let n = 0; n < BYSTANDERS; n++) traffic.bystanders.push(await fleet.signIn(traffic.next()));
    for (const replica of fleet.numbers) traffic.readAt(replica);
    for (let n = 0; n < WRITERS; n++) traffic.loops.push(traffic.write());
    return traffic;
  }

  /** Has readers ask this replica, too. */
  readAt(replica: number): void {
    this.loops.push(this.read(replica));
  }

  /**
   * Does harm to some replicas amid the traffic, and waits until all is well again.
   *
   * @param harm begins it and ends it; the guests are signed in, and remembered by every replica
   */
  async trouble(
    { undeliverable = false, ...settings }: TroubleSettings,
    harm: (guests: readonly Login[]) => Promise<void>,
  ): Promise<void> {
    const guests = await Promise.all(Array.from({ length: GUESTS }, () => this.fleet.signIn(this.next())));
    this.leaving.push(...guests);
    await Promise.all(guests.map((guest) => this.askAll(guest)));
    await this.logouts(2);
    const trouble: Trouble = { ...settings, began: performance.now(), ended: Infinity };
    this.history.troubles.push(trouble);
    if (undeliverable) for (const replica of trouble.replicas) this.unreachable.add(replica);
    await harm(guests);
    trouble.ended = performance.now();
    this.unreachable.clear();
    await until(`all have recovered from: ${trouble.what}`, () =>
      trouble.replicas.every((replica) => this.history.letsInAfter(replica, trouble.ended) !== undefined),
    );
    await this.logouts(2);
  }

  /** Waits until so many more users have left. */
  async logouts(count: number): Promise<void> {
    const enough = this.history.acknowledged().size + count;
    await until(`${count} more logouts`, () => this.history.acknowledged().size >= enough);
  }

  /** OneID tells of a logout, at one replica after the other, until one has taken it. */
  async logOut(...logins: readonly Login[]): Promise<void> {
    await Promise.all(
      logins.map(async (login) => {
        let replica = this.next();
        while ((await this.deliver(replica, login)) !== 200 && !this.stopped) replica = this.next(replica);
      }),
    );
  }

  /** One attempt; if it succeeds, all are asked at once. */
  async deliver(replica: number, login: Login): Promise<Status> {
    const sent = performance.now();
    const status = await this.fleet.deliver(replica, login);
    this.history.deliveries.push({ session: login.session, sent, answered: performance.now(), status });
    if (status === 200) await this.askAll(login);
    return status;
  }

  async ask(replica: number, login: Login): Promise<Status> {
    const sent = performance.now();
    const status = await this.fleet.ask(replica, login);
    this.history.requests.push({ replica, session: login.session, sent, answered: performance.now(), status });
    return status;
  }

  /** Has everybody finish what they are at. */
  stop(): void {
    this.stopped = true;
  }

  /** Stops, asks each replica for each user once more, and tells which promises were not kept in all this time. */
  async violations(): Promise<Violations> {
    this.stop();
    await Promise.all(this.loops);
    for (const login of [...this.leaving, ...this.bystanders]) await this.askAll(login);
    this.history.recorded = new Set((await this.fleet.recorded(this.leaving)).map(({ session }) => session));
    return this.history.violations();
  }

  private async write(): Promise<void> {
    while (!this.stopped) {
      const login = await this.fleet.signIn(this.next()).catch(() => undefined);
      if (login === undefined) {
        await delay(READER_PAUSE);
        continue;
      }
      this.leaving.push(login);
      await this.askAll(login);
      await this.logOut(login);
    }
  }

  private async read(replica: number): Promise<void> {
    while (!this.stopped) {
      const logins = [...this.bystanders, ...this.leaving.slice(-LEFT_LATELY)];
      await Promise.all(logins.map((login) => this.ask(replica, login)));
      await delay(READER_PAUSE);
    }
  }

  /** At once, but for those in trouble, whose readers wait for them. */
  private async askAll(login: Login): Promise<void> {
    const inTrouble = new Set(
      this.history.troubles.filter(({ ended }) => ended === Infinity).flatMap(({ replicas }) => replicas),
    );
    const others = this.fleet.numbers.filter((replica) => !inTrouble.has(replica));
    await Promise.all(others.map((replica) => this.ask(replica, login)));
  }

  /** Everybody in turn, but for those who can't be reached, and one. */
  private next(but?: number): number {
    const reachable = this.fleet.numbers.filter((replica) => !this.unreachable.has(replica) && replica !== but);
    const replica = reachable[this.turn++ % reachable.length];
    if (replica === undefined) throw new Error('No replica can be reached');
    return replica;
  }
}
