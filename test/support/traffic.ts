import { setTimeout as delay } from 'node:timers/promises';
import { History, type Status, type Trouble, type Violations } from './history.js';
import { type Login, type ReplicaFleet } from './replica-fleet.js';
import { until } from './until.js';

/** The number of loops that sign a user in and log this user out. */
const WRITERS = 3;
/** The number of users who stay signed in. */
const STAYING_USERS = 3;
/** The number of users who log out during a trouble. */
const GUESTS = 4;

/** Each reader requests the sessions of this many leaving users, the latest ones. */
const RECENT_LEAVING_USERS = 8;

/** The pause between two rounds of a reader, milliseconds. The replicas share one machine and need time to work. */
const READER_PAUSE = 250;

export interface TroubleSettings extends Pick<
  Trouble,
  'what' | 'replicas' | 'permits' | 'recoveryMs' | 'endsSessions'
> {
  /** During the trouble, OneID cannot reach these replicas. */
  readonly undeliverable?: boolean;
}

/**
 * Requests to all replicas of a fleet at the same time. Some users stay signed in. Writers sign users in and log them
 * out: OneID sends each logout until it gets a 200. Readers request a guarded page of every replica again and again,
 * with the sessions of both kinds of users.
 */
export class Traffic {
  readonly history = new History();
  private readonly stayingUsers: Login[] = [];
  private readonly leavingUsers: Login[] = [];
  private readonly loops: Promise<void>[] = [];
  private readonly unreachable = new Set<number>();
  private stopped = false;
  private turns = 0;

  private constructor(private readonly fleet: ReplicaFleet) {}

  static async start(fleet: ReplicaFleet): Promise<Traffic> {
    const traffic = new Traffic(fleet);
    for (let n = 0; n < STAYING_USERS; n++) traffic.stayingUsers.push(await traffic.signIn());
    for (const replica of fleet.numbers) traffic.startReader(replica);
    for (let n = 0; n < WRITERS; n++) traffic.loops.push(traffic.write());
    return traffic;
  }

  /** Starts a reader of this replica. */
  startReader(replica: number): void {
    this.loops.push(this.read(replica));
  }

  /**
   * Causes a fault at some replicas during the traffic, and waits until these replicas let sessions in again.
   *
   * @param harm starts and ends the fault. Its guests are signed in, and every replica remembers their sessions
   */
  async trouble(
    { undeliverable = false, ...settings }: TroubleSettings,
    harm: (guests: readonly Login[]) => Promise<void>,
  ): Promise<void> {
    const guests = await Promise.all(Array.from({ length: GUESTS }, () => this.signIn()));
    this.leavingUsers.push(...guests);
    await Promise.all(guests.map((guest) => this.askAll(guest)));
    await this.logouts(2);
    const trouble: Trouble = { ...settings, began: performance.now(), ended: Infinity };
    this.history.troubles.push(trouble);
    if (undeliverable) for (const replica of trouble.replicas) this.unreachable.add(replica);
    await harm(guests);
    trouble.ended = performance.now();
    this.unreachable.clear();
    await until(`all replicas recover from: ${trouble.what}`, () =>
      trouble.replicas.every((replica) => this.history.firstLetInAfter(replica, trouble.ended) !== undefined),
    );
    await this.logouts(2);
  }

  /** Waits until OneID has got its 200 for this number of further logouts. */
  async logouts(count: number): Promise<void> {
    const target = this.history.acknowledged().size + count;
    await until(`${count} more logouts`, () => this.history.acknowledged().size >= target);
  }

  /** OneID sends each logout to one replica after another, until a replica answers 200. */
  async logOut(...logins: readonly Login[]): Promise<void> {
    await Promise.all(
      logins.map(async (login) => {
        let replica = this.nextReplica();
        while ((await this.deliver(replica, login)) !== 200 && !this.stopped) replica = this.nextReplica(replica);
      }),
    );
  }

  /** OneID sends a logout once. After a 200, every replica must refuse the session at once, so all are requested. */
  async deliver(replica: number, login: Login): Promise<Status> {
    const sent = performance.now();
    const status = await this.fleet.deliver(replica, login);
    this.history.deliveries.push({ session: login.session, sent, answered: performance.now(), status });
    if (status === 200) await this.askAll(login);
    return status;
  }

  /** @param sub undefined: a new user */
  async signIn(sub?: string): Promise<Login> {
    const sent = performance.now();
    const login = await this.fleet.signIn(this.nextReplica(), sub);
    this.history.signIns.push({ session: login.session, sent, answered: performance.now() });
    return login;
  }

  /**
   * The app ends sessions itself, by a call at one replica. Then all replicas are asked for them.
   *
   * @param logins whose sessions end; undefined: everyone's
   * @param withinMs the staleness of the replicas, milliseconds
   */
  async endOwn(
    what: string,
    logins: readonly Login[] | undefined,
    withinMs: number,
    end: (replica: number) => Promise<unknown>,
  ): Promise<void> {
    const sent = performance.now();
    await end(this.nextReplica());
    const sessions = logins && { sessions: new Set(logins.map(({ session }) => session)) };
    this.history.ownEnds.push({ what, sent, answered: performance.now(), withinMs, ...sessions });
    await delay(withinMs + 1);
    await Promise.all((logins ?? this.stayingUsers).map((login) => this.askAll(login)));
  }

  /** Signs a user in who then is a reader's user, too, and requests the session from every replica. */
  async signInToStay(sub?: string): Promise<Login> {
    const login = await this.signIn(sub);
    this.stayingUsers.push(login);
    await this.askAll(login);
    return login;
  }

  async ask(replica: number, login: Login): Promise<Status> {
    const sent = performance.now();
    const status = await this.fleet.ask(replica, login);
    this.history.requests.push({ replica, session: login.session, sent, answered: performance.now(), status });
    return status;
  }

  /** Stops the writers and readers after their current round. */
  stop(): void {
    this.stopped = true;
  }

  /** Stops the traffic, requests every session from every replica once more, and returns all broken promises. */
  async violations(): Promise<Violations> {
    this.stop();
    await Promise.all(this.loops);
    for (const login of [...this.leavingUsers, ...this.stayingUsers]) await this.askAll(login);
    this.history.recorded = new Set((await this.fleet.recorded(this.leavingUsers)).map(({ session }) => session));
    return this.history.violations();
  }

  private async write(): Promise<void> {
    while (!this.stopped) {
      const login = await this.signIn().catch(() => undefined);
      if (login === undefined) {
        await delay(READER_PAUSE);
        continue;
      }
      this.leavingUsers.push(login);
      await this.askAll(login);
      await this.logOut(login);
    }
  }

  private async read(replica: number): Promise<void> {
    while (!this.stopped) {
      const logins = [...this.stayingUsers, ...this.leavingUsers.slice(-RECENT_LEAVING_USERS)];
      await Promise.all(logins.map((login) => this.ask(replica, login)));
      await delay(READER_PAUSE);
    }
  }

  /**
   * Requests this session from every replica without trouble, at once. A replica in trouble may answer late, and its
   * reader requests the session anyway.
   */
  private async askAll(login: Login): Promise<void> {
    const inTrouble = new Set(
      this.history.troubles.filter(({ ended }) => ended === Infinity).flatMap(({ replicas }) => replicas),
    );
    const others = this.fleet.numbers.filter((replica) => !inTrouble.has(replica));
    await Promise.all(others.map((replica) => this.ask(replica, login)));
  }

  /** Takes the replicas in turn. It leaves out unreachable replicas, and the replica `except`. */
  private nextReplica(except?: number): number {
    const reachable = this.fleet.numbers.filter((replica) => !this.unreachable.has(replica) && replica !== except);
    const replica = reachable[this.turns++ % reachable.length];
    if (replica === undefined) throw new Error('No replica can be reached');
    return replica;
  }
}
