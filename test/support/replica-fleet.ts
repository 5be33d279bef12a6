import { type Transform } from 'node:stream';
import { type OneIdLogoutOptions, type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { DataSource } from 'typeorm';
import { targetOf } from '../../libs/oneid-logout/src/rule/targets.js';
import { type TestDatabase } from './databases.js';
import { type Status } from './history.js';
import { clientId, clientSecret } from './host.js';
import { type ReplicaApp, ReplicaProcess } from './replica-process.js';
import { TcpProxy } from './tcp-proxy.js';
import { suiteKey } from './suite-key.js';

export type Liveness = NonNullable<OneIdLogoutOptions['liveness']>;

/** The session of a signed-in user, and the logout token that OneID sends when this user logs out. */
export interface Login {
  readonly session: string;
  readonly logoutToken: string;
  readonly sid: string;
  readonly sub: string;
}

/** An app, with more options that only its replicas have. They must be valid JSON values. */
export interface FleetApp extends ReplicaApp {
  readonly options?: Partial<OneIdLogoutOptions>;
}

interface Replica {
  readonly process: ReplicaProcess;
  /** Between this replica and the database. No other replica uses it. */
  readonly databaseProxy: TcpProxy;
}

export interface FleetSettings {
  readonly database: TestDatabase;
  /** One entry for each replica. */
  readonly liveness: readonly Liveness[];
  /** More options of all replicas. They must be valid JSON values. */
  readonly options?: Partial<OneIdLogoutOptions>;
  /** The app of the replicas that start with the fleet. Default: the one of `replica-main.ts` */
  readonly app?: FleetApp;
  /** In place of the option `maxIdleSeconds`, which permits no such short time, milliseconds. */
  readonly maxIdleMs?: number;
  /** Switches the staleness limit of all replicas off, for control tests. */
  readonly trustsMemoryForever?: boolean;
  /** Filters the data from the database to each replica. */
  readonly filter?: () => Transform;
}

/** Replicas of one app on one database, and their OneID. Each replica is a separate process. */
export class ReplicaFleet {
  private readonly replicas: Replica[] = [];

  private constructor(
    readonly oneId: OneIdTestProvider,
    readonly database: TestDatabase,
    private readonly settings: Omit<FleetSettings, 'database' | 'liveness'>,
  ) {}

  static async start({ database, liveness, ...settings }: FleetSettings): Promise<ReplicaFleet> {
    const oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret }],
      signingKey: await suiteKey(),
    });
    const fleet = new ReplicaFleet(oneId, database, settings);
    try {
      fleet.replicas.push(...(await Promise.all(liveness.map((mode) => fleet.startReplica(mode)))));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** The numbers of the replicas, from 0. */
  get numbers(): readonly number[] {
    return [...this.replicas.keys()];
  }

  replica(number: number): Replica {
    const replica = this.replicas[number];
    if (replica === undefined) throw new Error(`There is no replica ${number}`);
    return replica;
  }

  /** Starts one more replica. @returns its number */
  async add(liveness: Liveness, app?: FleetApp): Promise<number> {
    return this.replicas.push(await this.startReplica(liveness, app)) - 1;
  }

  /** Kills a replica and starts a new one under the same number. */
  async replace(number: number, liveness: Liveness, app?: FleetApp): Promise<void> {
    const { process, databaseProxy } = this.replica(number);
    await process.kill();
    await databaseProxy.stop();
    this.replicas[number] = await this.startReplica(liveness, app);
  }

  /** @param sub undefined: a new user */
  async signIn(number: number, sub?: string): Promise<Login> {
    const login = this.oneId.signIn(sub === undefined ? {} : { sub });
    const idToken = await this.oneId.idToken({ clientId, login });
    const session = await this.replica(number).process.signIn({ idToken });
    const logoutToken = await this.oneId.logoutToken({ clientId, sid: login.sid });
    return { session, sid: login.sid, sub: login.sub, logoutToken };
  }

  /** Ends the sessions of everyone, by a call at this replica. */
  async endEveryone(number: number): Promise<void> {
    await this.replica(number).process.endEveryone(this.oneId.issuer);
  }

  async eraseUser(number: number, { sub }: Login): Promise<void> {
    await this.replica(number).process.eraseUser(sub);
  }

  /** Requests a guarded page of a replica. */
  ask(number: number, { session }: Login): Promise<Status> {
    return this.replica(number).process.me(session).catch(noAnswer);
  }

  /** Sends the logout token to a replica, as OneID does. */
  deliver(number: number, { logoutToken }: Login): Promise<Status> {
    return this.replica(number).process.deliver(logoutToken).catch(noAnswer);
  }

  /** The logins whose logout is in the database. */
  async recorded(logins: readonly Login[]): Promise<Login[]> {
    const dataSource = await new DataSource(this.database.options).initialize();
    try {
      const rows = await dataSource.query<{ target: string }[]>('SELECT target FROM oneid_logout');
      const targets = new Set(rows.map(({ target }) => target));
      return logins.filter(({ sid }) => targets.has(targetOf('sid', this.oneId.issuer, sid)));
    } finally {
      await dataSource.destroy();
    }
  }

  /** Continues stopped processes and mends broken connections. A failed test may leave both. */
  heal(): void {
    for (const { process, databaseProxy } of this.replicas) {
      process.signal('SIGCONT');
      databaseProxy.mend();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map(({ process }) => process.kill()));
    await Promise.all(this.replicas.map(({ databaseProxy }) => databaseProxy.stop()));
    await this.oneId.close();
  }

  private async startReplica(liveness: Liveness, app = this.settings.app): Promise<Replica> {
    const { filter, trustsMemoryForever = false, maxIdleMs } = this.settings;
    const idleness = maxIdleMs === undefined ? {} : { maxIdleSeconds: 60 };
    const options = { ...idleness, ...this.settings.options, ...app?.options };
    const databaseProxy = await TcpProxy.start(urlOf(this.database.options), filter);
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const clientAuthentication = { clientSecret };
    const clients = [{ issuer: this.oneId.issuer, clientId, clientAuthentication, postLogoutRedirectUri }];
    const database = { ...this.database.options, url: databaseProxy.url } as SessionDatabaseOptions;
    try {
      const process = await ReplicaProcess.start(
        { ...options, clients, database, liveness },
        { trustsMemoryForever, ...(app && { app }), ...(maxIdleMs !== undefined && { maxIdleMs }) },
      );
      return { process, databaseProxy };
    } catch (error) {
      await databaseProxy.stop();
      throw error;
    }
  }
}

function urlOf(options: SessionDatabaseOptions): string {
  if (options.type === 'better-sqlite3' || options.url === undefined)
    throw new Error(`The database ${options.type} has no URL`);
  return options.url;
}

const noAnswer = (): Status => 'no answer';
