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
import { ProviderQuestion } from '../../libs/oneid-logout/src/boot/provider-question.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { HostController } from './host-controller.js';
import { type DatabaseKind, sqlite, type TestDatabase } from './databases.js';
import { suiteKey } from './suite-key.js';
import { TestClock } from './test-clock.js';
import { jobsOf, RunningWork } from './running-work.js';

export const clientId = 'app';
export const clientSecret = 'the-secret-of-app';
export const secrets = ['a secret of the app that is long enough'];

export interface HostSettings {
  readonly database?: Pick<DatabaseKind, 'take'>;
  readonly adapter?: 'express' | 'fastify';
  readonly options?: Partial<OneIdLogoutOptions>;
  readonly client?: Partial<OneIdLogoutOptions['clients'][number]>;
  /** Further clients of the same OneID, beside `client`. */
  readonly otherClients?: readonly (Partial<OneIdLogoutOptions['clients'][number]> & { readonly clientId: string })[];
  /** The client's registration at OneID, without its id and secret. */
  readonly registration?: Omit<OneIdTestClient, 'clientId' | 'clientSecret'>;
  /** By default, a free port. */
  readonly port?: number;
  readonly extras?: OneIdLogoutExtras;
  readonly controllers?: Type[];
  readonly imports?: (Type | DynamicModule)[];
  readonly providers?: Provider[];
  /**
   * Starts the library's background jobs, which then run at their intervals as in production, and asks OneID for its
   * configuration at boot. By default a job runs only when something wakes it, and OneID is asked when a test needs it. A test with this setting must not share its host.
   */
  readonly startsJobs?: boolean;
  /** By default, a running clock. On a stopped one, the age of a token does not depend on the speed of the machine. */
  readonly clock?: TestClock;
  /** Runs before the host listens: adds global pipes, guards or middleware. */
  readonly configure?: (app: INestApplication) => void | Promise<void>;
}

/** Imports Fastify only when a test needs it, because it takes time to load. */
async function fastifyAdapter() {
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return new FastifyAdapter();
}

/** An app that uses the library and listens on loopback, and its OneID. */
export class Host {
  private constructor(
    readonly app: INestApplication,
    readonly oneId: OneIdTestProvider,
    readonly clock: TestClock,
    readonly testDatabase: TestDatabase,
    readonly url: string,
    /** The module's options, without the extras. */
    readonly options: OneIdLogoutOptions,
    private readonly runningWork: RunningWork,
  ) {}

  static async start(settings: HostSettings = {}): Promise<Host> {
    const { clock = new TestClock() } = settings;
    const testDatabase = await (settings.database ?? sqlite).take();
    const oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret, ...settings.registration }],
      signingKey: await suiteKey(),
      now: () => clock.now(),
    });
    const options: OneIdLogoutOptions = {
      clients: [settings.client, ...(settings.otherClients ?? [])].map((client) => ({
        issuer: oneId.issuer,
        clientId,
        clientAuthentication: { clientSecret },
        postLogoutRedirectUri: 'https://app.example/logout/callback',
        ...client,
      })),
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
    // without intervals, the result of a test does not depend on the speed of the machine
    if (!settings.startsJobs) {
      for (const job of [...jobsOf(testing), testing.get(ProviderQuestion, { strict: false })])
        job.start = () => undefined;
    }
    const app =
      settings.adapter === 'fastify'
        ? testing.createNestApplication(await fastifyAdapter())
        : testing.createNestApplication<NestExpressApplication>();
    const runningWork = new RunningWork(app);
    await settings.configure?.(app);
    await app.listen(settings.port ?? 0, '127.0.0.1');
    const host = new Host(app, oneId, clock, testDatabase, await app.getUrl(), options, runningWork);
    await host.settled();
    return host;
  }

  /** Resolves when the host has no running work. After that, the host works only when the test asks it to. */
  settled(): Promise<void> {
    return this.runningWork.settled();
  }

  /** Signs a user in at OneID and registers the session. @returns the session token and the login's sid */
  async signIn(login = this.oneId.signIn()): Promise<{ readonly session: string; readonly sid: string }> {
    const idToken = await this.oneId.idToken({ clientId, login });
    const { sessionToken } = await this.app.get(SessionRegistry, { strict: false }).register({ idToken });
    return { session: sessionToken, sid: login.sid };
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.oneId.close();
    await this.testDatabase.drop();
  }

  /** Sends a request to the host. The client follows no redirects and keeps no cookies. */
  async fetch(path: string, init: RequestInit & { session?: string } = {}): Promise<Response> {
    const { session, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (session !== undefined) headers.append('cookie', `session=${session}`);
    return fetch(this.url + path, { redirect: 'manual', ...rest, headers });
  }

  /** All rows that the library has stored, by table. */
  async stored(): Promise<Record<'sessions' | 'logouts' | 'tokens' | 'loginUsers', readonly SqlRow[]>> {
    const database = this.app.get(SessionDatabase, { strict: false });
    const rows = async (table: string) => (await database.run(`SELECT * FROM ${table}`)).rows;
    return {
      sessions: await rows('oneid_session'),
      logouts: await rows('oneid_logout'),
      tokens: await rows('oneid_session_tokens'),
      loginUsers: await rows('oneid_login_user'),
    };
  }
}
