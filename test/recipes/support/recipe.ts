import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { type LogoutChannel } from 'nestjs-oneid-logout';
import { OneIdTestProvider, type OneIdTestProviderOptions } from 'nestjs-oneid-logout/testing';
import { OpenConnections } from '../../../libs/oneid-logout/src/connections/open-connections.js';
import { SessionDatabase } from '../../../libs/oneid-logout/src/database/session-database.js';
import { Browser } from '../../support/browser.js';
import { databases } from '../../support/databases.js';
import { RunningWork } from '../../support/running-work.js';
import { allowLoopbackIssuers } from './loopback-issuers.js';
import { suiteKey } from '../../support/suite-key.js';

/** The public URL in the recipes. */
export const publicUrl = 'https://my-app.example';
export const clientId = 'my-app';

export interface RecipeSettings {
  /** The app has no secret at OneID. */
  readonly isPublic?: boolean;
  readonly oneId?: Pick<OneIdTestProviderOptions, 'issuerPath' | 'trailingSlash'>;
}

/** A running recipe, and its OneID. */
export class Recipe {
  private readonly runningWork: RunningWork;

  private constructor(
    readonly app: INestApplication,
    readonly oneId: OneIdTestProvider,
    readonly url: string,
    private readonly drop: () => Promise<void>,
  ) {
    this.runningWork = new RunningWork(app);
  }

  /** Imports the recipe with its environment. Once per spec, because the file starts the app. */
  static async start(name: string, { isPublic = false, oneId: provider }: RecipeSettings = {}): Promise<Recipe> {
    const database = await databases.find(({ name: kind }) => kind === 'PostgreSQL')?.create();
    if (database?.options.type !== 'postgres') throw new Error('There is no PostgreSQL to test with');
    const clientSecret = randomBytes(16).toString('hex');
    const oneId = await OneIdTestProvider.start({
      ...provider,
      signingKey: await suiteKey(),
      clients: [
        {
          clientId,
          ...(isPublic
            ? { tokenEndpointAuthMethod: 'none' as const }
            : { clientSecret, tokenEndpointAuthMethod: 'client_secret_basic' as const }),
          redirectUris: [`${publicUrl}/login/callback`, `${publicUrl}/api/auth/callback/oneid`],
          postLogoutRedirectUris: [`${publicUrl}/logout/callback`],
        },
      ],
    });
    Object.assign(process.env, {
      ONEID_ISSUER: oneId.issuer,
      ONEID_CLIENT_SECRET: isPublic ? '' : clientSecret,
      JWT_SECRET: randomBytes(32).toString('base64'),
      ASK_EVERY_SECONDS: '0',
      KEYCLOAK_URL: new URL(oneId.issuer).origin,
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

  /** Resolves when the app has no running work. */
  settled(): Promise<void> {
    return this.runningWork.settled();
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.oneId.close();
    await this.drop();
  }

  /** OneID sends the app a logout of a login, and gets 200. */
  async logOut(sid: string): Promise<void> {
    const token = await this.oneId.logoutToken({ clientId, sid });
    const { attempts } = await this.oneId.deliver(`${this.url}/backchannel_logout`, token);
    expect(attempts.map(({ status }) => status)).toEqual([200]);
  }

  /** The number of recorded logouts of this kind. */
  async logouts(channel: LogoutChannel): Promise<number> {
    const database = this.app.get(SessionDatabase, { strict: false });
    return (await database.run('SELECT id FROM oneid_logout WHERE channel = ?', [channel])).rows.length;
  }

  /** A browser behind the proxy where TLS ends. */
  browser(): ProxiedBrowser {
    return new ProxiedBrowser(this);
  }

  /** The number of open sockets that the app watches. */
  get open(): number {
    return this.app.get(OpenConnections, { strict: false }).size;
  }
}

export class ProxiedBrowser extends Browser {
  override visit(path: string, visit: Parameters<Browser['visit']>[1] = {}): Promise<Response> {
    return super.visit(path, { ...visit, headers: { 'x-forwarded-proto': 'https', ...visit.headers } });
  }

  /** Follows an answer: to OneID, which shows no pages here, or back to the app. */
  async follow(answer: Response): Promise<Response> {
    const location = answer.headers.get('location') ?? '';
    if (location.startsWith(publicUrl)) return this.visit(location.slice(publicUrl.length), { from: 'cross-site' });
    return location.startsWith('/') ? this.visit(location) : fetch(location, { redirect: 'manual' });
  }

  /** Signs in with the browser's cookies. Returns the answer of the app's callback. */
  async signIn(): Promise<Response> {
    return this.follow(await this.follow(await this.visit('/login')));
  }
}
