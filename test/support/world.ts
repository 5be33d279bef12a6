import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type INestApplication } from '@nestjs/common';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { createApp } from '../../src/create-app.js';
import { type EmbeddedOneId } from '../../src/embedded-oneid/embedded-oneid.js';
import { freePort } from '../../src/embedded-oneid/free-port.js';
import { OneId } from '../../src/oneid/oneid.js';
import { startSecondApp } from '../../src/second-app.js';
import { readSettings } from '../../src/settings.js';
import { RunningWork } from './running-work.js';

/** Everything that `npm start` starts: the reference app, a second app, and a OneID on another site. */
export class World {
  private readonly runningWork: readonly RunningWork[];

  private constructor(
    readonly app: INestApplication,
    readonly url: string,
    readonly secondApp: INestApplication,
    readonly secondUrl: string,
    readonly oneId: EmbeddedOneId,
    private readonly folder: string,
  ) {
    this.runningWork = [app, secondApp].map((each) => new RunningWork(each));
  }

  /** @param preferredPort the app's port. If it is in use, the app gets a free port */
  static async start(preferredPort = 0): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'oneid-browser-'));
    const port = await freePort(preferredPort);
    const settings = readSettings({
      PORT: String(port),
      DATABASE_URL: `sqlite:${join(folder, 'sessions.sqlite')}`,
    });
    const app = await createApp(settings, { logLevels: ['error', 'fatal'] });
    await app.listen(port, '127.0.0.1');
    const { embedded } = app.get(OneId);
    if (embedded === undefined) throw new Error('no embedded OneID');
    const secondApp = await startSecondApp(embedded, preferredPort === 0 ? 0 : port + 2);
    return new World(app, settings.baseUrl, secondApp, await secondApp.getUrl(), embedded, folder);
  }

  /** OneID sends the app a logout, but keeps the login alive at OneID, as some versions of Hydra do. */
  async endOnlyAtApp({ issuer, sid }: { readonly issuer: string; readonly sid: string }): Promise<void> {
    await this.app.get(LogoutRecorder, { strict: false }).recordBackchannel({
      ...{ issuer, sid, clientId: 'reference-app', scope: 'session' },
      jti: `of ${sid}`,
      iat: Math.floor(Date.now() / 1000),
    });
  }

  /** Resolves when OneID has delivered every logout, and the apps have finished their work on it. */
  async settled(): Promise<void> {
    await this.oneId.deliveries.idle();
    for (const each of this.runningWork) await each.settled();
  }

  async stop(): Promise<void> {
    await this.secondApp.close();
    await this.app.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
