import { type SqlRow } from '../../libs/oneid-logout/src/database/sql.js';
import { type DynamicModule, type INestApplication, Module, type Provider, type Type } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import {
  type OneIdLogoutExtras,
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  sessionFromCookie,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { type OneIdTestClient, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { HostController } from './host-controller.js';
import { type DatabaseKind, sqlite, type TestDatabase } from './databases.js';
import { suiteKey } from './suite-key.js';
import { TestClock } from './test-clock.js';
import { jobsOf, UnderWay } from './under-way.js';

export const clientId = 'app';
export const clientSecret = 'the-secret-of-app';
export const secrets = ['a secret of the app that is long enough'];

export interface HostSettings {
  readonly database?: Pick<DatabaseKind, 'take'>;
  readonly adapter?: 'express' | 'fastify';
  readonly options?: Partial<OneIdLogoutOptions>;
  readonly client?: Partial<OneIdLogoutOptions['clients'][number]>;
  /** What OneID knows of the client beside its id and secret. */
  readonly registration?: Omit<OneIdTestClient, 'clientId' | 'clientSecret'>;
  /** Any free one by default. */
  readonly port?: number;
  readonly extras?: OneIdLogoutExtras;
  readonly controllers?: Type[];
  readonly imports?: (Type | DynamicModule)[];
  readonly providers?: Provider[];
  /** Whether its jobs also run as time goes by, as outside of tests; for tests of just that, which share no host. */
  readonly actsByItself?: boolean;
  /** Sets the host up before it listens: global pipes, guards, middleware. */
  readonly configure?: (app: INestApplication) => void | Promise<void>;
}

/** Loaded only when it is needed: most suites do not need it, and it takes a while. */
async function fastifyAdapter() {
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return new FastifyAdapter();
}

/** An app with the library in it, listening on loopback, and the OneID it belongs to. */
export class Host {
  private constructor(
    readonly app: INestApplication,
    readonly oneId: OneIdTestProvider,
    readonly clock: TestClock,
    readonly testDatabase: TestDatabase,
    readonly url: string,
    /** What the module was given, but for the extras. */
    readonly options: OneIdLogoutOptions,
    private readonly underWay: UnderWay,
  ) {}

  static async start(settings: HostSettings = {}): Promise<Host> {
    const clock = new TestClock();
    const testDatabase = await (settings.database ?? sqlite).take();
    const oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret, ...settings.registration }],
      signingKey: await suiteKey(),
      now: () => clock.now(),
    });
    const options: OneIdLogoutOptions = {
      clients: [
        {
          issuer: oneId.issuer,
          clientId,
          clientAuthentication: { clientSecret },
          postLogoutRedirectUri: 'https://app.example/logout/callback',
          ...settings.client,
        },
      ],
      database: testDatabase.options,
      sessionFrom: sessionFromCookie('session'),
      secrets,
      returnUrls: ['/', '/goodbye'],
      ...settings.options,
    };

    @Module({
      imports: [OneIdLogoutModule.forRoot({ ...options, ...settings.extras }), ...(settings.imports ?? [])],
      controllers: settings.controllers ?? [HostController],
      providers: settings.providers ?? [],
    })
    class HostModule {}

    const testing = await Test.createTestingModule({ imports: [HostModule] })
      .overrideProvider(Clock)
      .useValue(clock)
      .overrideProvider(DatabaseConnector)
      .useValue(clock.connector)
      .compile();
    testing.useLogger(false);
    // how fast the machine is that runs the tests decides nothing: jobs run when something wakes them
    if (!settings.actsByItself) for (const job of jobsOf(testing)) job.start = () => undefined;
    const app =
      settings.adapter === 'fastify'
        ? testing.createNestApplication(await fastifyAdapter())
        : testing.createNestApplication<NestExpressApplication>();
    const underWay = new UnderWay(app);
    await settings.configure?.(app);
    await app.listen(settings.port ?? 0, '127.0.0.1');
    const host = new Host(app, oneId, clock, testDatabase, await app.getUrl(), options, underWay);
    await host.settled();
    return host;
  }

  /** Resolves when nothing is under way any more: from then on the host does what the test asks for, and nothing else. */
  settled(): Promise<void> {
    return this.underWay.settled();
  }

  /** Somebody who has signed in at OneID and here: the id of the session. */
  async signIn(login = this.oneId.signIn()): Promise<{ readonly session: string; readonly sid: string }> {
    const idToken = await this.oneId.idToken({ clientId, login });
    const { id } = await this.app.get(SessionRegistry, { strict: false }).register({ idToken });
    return { session: id, sid: login.sid };
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.oneId.close();
    await this.testDatabase.drop();
  }

  /** A request of a client that follows nothing and keeps no cookies. */
  async fetch(path: string, init: RequestInit & { session?: string } = {}): Promise<Response> {
    const { session, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (session !== undefined) headers.append('cookie', `session=${session}`);
    return fetch(this.url + path, { redirect: 'manual', ...rest, headers });
  }

  /** Everything the library has stored, table by table. */
  async stored(): Promise<Record<'sessions' | 'logouts' | 'tokens', readonly SqlRow[]>> {
    const database = this.app.get(SessionDatabase, { strict: false });
    const rows = async (table: string) => (await database.run(`SELECT * FROM ${table}`)).rows;
    return {
      sessions: await rows('oneid_session'),
      logouts: await rows('oneid_logout'),
      tokens: await rows('oneid_session_tokens'),
    };
  }
}
