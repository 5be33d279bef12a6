import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { type LogoutChannel } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { OpenConnections } from '../../../libs/oneid-logout/src/connections/open-connections.js';
import { SessionDatabase } from '../../../libs/oneid-logout/src/database/session-database.js';
import { Browser } from '../../support/browser.js';
import { databases } from '../../support/databases.js';
import { UnderWay } from '../../support/under-way.js';
import { allowLoopbackIssuers } from './loopback-issuers.js';

/** Where the recipes say that they are. */
export const publicUrl = 'https://my-app.example';
export const clientId = 'my-app';

/** A recipe that runs as its file says, and the OneID it belongs to. */
export class Recipe {
  private readonly underWay: UnderWay;

  private constructor(
    readonly app: INestApplication,
    readonly oneId: OneIdTestProvider,
    readonly url: string,
    private readonly drop: () => Promise<void>,
  ) {
    this.underWay = new UnderWay(app);
  }

  /** Imports the file: with the environment it reads, and once in a spec, since it starts by itself. */
  static async start(name: string): Promise<Recipe> {
    const database = await databases.find(({ name: kind }) => kind === 'PostgreSQL')?.create();
    if (database?.options.type !== 'postgres') throw new Error('There is no PostgreSQL to test with');
    const clientSecret = randomBytes(16).toString('hex');
    const oneId = await OneIdTestProvider.start({
      clients: [
        {
          ...{ clientId, clientSecret, tokenEndpointAuthMethod: 'client_secret_basic' },
          redirectUris: [`${publicUrl}/login/callback`],
          postLogoutRedirectUris: [`${publicUrl}/logout/callback`],
        },
      ],
    });
    Object.assign(process.env, {
      ONEID_ISSUER: oneId.issuer,
      ONEID_CLIENT_SECRET: clientSecret,
      DATABASE_URL: database.options.url,
      APP_SECRETS: [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')].join(),
      PORT: '0',
    });
    allowLoopbackIssuers();
    Logger.overrideLogger(['error', 'fatal']);
    const { app } = (await import(`../${name}.js`)) as { app: INestApplication };
    const url = `http://127.0.0.1:${new URL(await app.getUrl()).port}`;
    oneId.registerClient({ clientId, backchannelLogoutUri: `${url}/backchannel_logout` });
    return new Recipe(app, oneId, url, () => database.drop());
  }

  /** Resolves when the app has nothing under way any more. */
  settled(): Promise<void> {
    return this.underWay.settled();
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.oneId.close();
    await this.drop();
  }

  /** OneID tells the app that a login is over, and is told that the app knows. */
  async logOut(sid: string): Promise<void> {
    const token = await this.oneId.logoutToken({ clientId, sid });
    const { attempts } = await this.oneId.deliver(`${this.url}/backchannel_logout`, token);
    expect(attempts.map(({ status }) => status)).toEqual([200]);
  }

  /** How many logouts of this kind are on record. */
  async logouts(channel: LogoutChannel): Promise<number> {
    const database = this.app.get(SessionDatabase, { strict: false });
    return (await database.run('SELECT id FROM oneid_logout WHERE channel = ?', [channel])).rows.length;
  }

  /** A browser that comes by the proxy where TLS ends. */
  browser(): ProxiedBrowser {
    return new ProxiedBrowser(this);
  }

  /** How many sockets the app would close at a logout. */
  get open(): number {
    return this.app.get(OpenConnections, { strict: false }).size;
  }
}

export class ProxiedBrowser extends Browser {
  override visit(path: string, visit: Parameters<Browser['visit']>[1] = {}): Promise<Response> {
    return super.visit(path, { ...visit, headers: { 'x-forwarded-proto': 'https', ...visit.headers } });
  }

  /** Goes where an answer leads: to OneID, which has no pages in between, or back to the app. */
  async follow(answer: Response): Promise<Response> {
    const location = answer.headers.get('location') ?? '';
    if (location.startsWith(publicUrl)) return this.visit(location.slice(publicUrl.length), { from: 'cross-site' });
    return location.startsWith('/') ? this.visit(location) : fetch(location, { redirect: 'manual' });
  }

  /** Signs in, with whatever cookies there are: the answer of the app's callback. */
  async signIn(): Promise<Response> {
    return this.follow(await this.follow(await this.visit('/login')));
  }
}
