import { type Transform } from 'node:stream';
import { type OneIdLogoutOptions, type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { DataSource } from 'typeorm';
import { targetOf } from '../../libs/oneid-logout/src/rule/targets.js';
import { type TestDatabase } from './databases.js';
import { type Status } from './history.js';
import { clientId, clientSecret } from './host.js';
import { ReplicaProcess } from './replica-process.js';
import { TcpProxy } from './tcp-proxy.js';

export type Liveness = NonNullable<OneIdLogoutOptions['liveness']>;

/** A user who is signed in, and what OneID sends when he leaves. */
export interface Login {
  readonly session: string;
  readonly logoutToken: string;
  readonly sid: string;
}

interface Replica {
  readonly process: ReplicaProcess;
  /** Its line to the database, which no other replica uses. */
  readonly line: TcpProxy;
}

export interface FleetSettings {
  readonly database: TestDatabase;
  /** Of each replica. */
  readonly liveness: readonly Liveness[];
  /** Whether they take what they remember for true for ever. */
  readonly credulous?: boolean;
  /** Of what they hear from the database. */
  readonly filter?: () => Transform;
}

/** Replicas of an app on one database, each a process of its own, and their OneID. */
export class ReplicaFleet {
  private readonly replicas: Replica[] = [];

  private constructor(
    private readonly oneId: OneIdTestProvider,
    readonly database: TestDatabase,
    private readonly settings: Omit<FleetSettings, 'database' | 'liveness'>,
  ) {}

  static async start({ database, liveness, ...settings }: FleetSettings): Promise<ReplicaFleet> {
    const oneId = await OneIdTestProvider.start({ clients: [{ clientId, clientSecret }] });
    const fleet = new ReplicaFleet(oneId, database, settings);
    try {
      fleet.replicas.push(...(await Promise.all(liveness.map((mode) => fleet.startReplica(mode)))));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** What names the replicas. */
  get numbers(): readonly number[] {
    return [...this.replicas.keys()];
  }

  replica(number: number): Replica {
    const replica = this.replicas[number];
    if (replica === undefined) throw new Error(`There is no replica ${number}`);
    return replica;
  }

  /** One more; its number. */
  async add(liveness: Liveness): Promise<number> {
    return this.replicas.push(await this.startReplica(liveness)) - 1;
  }

  /** Another in the place of one that is gone. */
  async replace(number: number, liveness: Liveness): Promise<void> {
    const { process, line } = this.replica(number);
    await process.kill();
    await line.stop();
    this.replicas[number] = await this.startReplica(liveness);
  }

  async signIn(number: number): Promise<Login> {
    const login = this.oneId.signIn();
    const idToken = await this.oneId.idToken({ clientId, login });
    const session = await this.replica(number).process.signIn({ idToken });
    return { session, sid: login.sid, logoutToken: await this.oneId.logoutToken({ clientId, sid: login.sid }) };
  }

  ask(number: number, { session }: Login): Promise<Status> {
    return this.replica(number).process.me(session).catch(noAnswer);
  }

  deliver(number: number, { logoutToken }: Login): Promise<Status> {
    return this.replica(number).process.deliver(logoutToken).catch(noAnswer);
  }

  /** Those whose logout the database has, as it says itself. */
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

  /** Undoes what a test may have left when it failed. */
  heal(): void {
    for (const { process, line } of this.replicas) {
      process.signal('SIGCONT');
      line.mend();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map(({ process }) => process.kill()));
    await Promise.all(this.replicas.map(({ line }) => line.stop()));
    await this.oneId.close();
  }

  private async startReplica(liveness: Liveness): Promise<Replica> {
    const { filter, credulous = false } = this.settings;
    const line = await TcpProxy.start(urlOf(this.database.options), filter);
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const clientAuthentication = { clientSecret };
    const clients = [{ issuer: this.oneId.issuer, clientId, clientAuthentication, postLogoutRedirectUri }];
    const database = { ...this.database.options, url: line.url } as SessionDatabaseOptions;
    try {
      const process = await ReplicaProcess.start({ clients, database, liveness }, { credulous });
      return { process, line };
    } catch (error) {
      await line.stop();
      throw error;
    }
  }
}

function urlOf(options: SessionDatabaseOptions): string {
  if (options.type === 'better-sqlite3' || options.url === undefined)
    throw new Error(`${options.type} is not reached by a URL`);
  return options.url;
}

const noAnswer = (): Status => 'no answer';
