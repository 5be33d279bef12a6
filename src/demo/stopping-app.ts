import { type NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from '../create-app.js';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { freePort } from '../embedded-oneid/free-port.js';
import { registerAnotherApp } from '../oneid/registration.js';
import { type Settings } from '../settings.js';

/** After an outage of more seconds, the app asks OneID to confirm each session. The lowest value that the library takes. */
export const OUTAGE_SECONDS = 5;

/** The reference app as another app of the same OneID. It can stop and start again on the same database. */
export class StoppingApp {
  #running: NestExpressApplication | undefined;

  private constructor(private readonly settings: Settings) {}

  /** Registers the app at OneID, and starts it. @param file of its SQLite database */
  static async start(oneId: EmbeddedOneId, file: string): Promise<StoppingApp> {
    const settings = await registerAnotherApp(oneId, 'stopping-app', {
      port: await freePort(),
      database: { type: 'better-sqlite3', database: file },
      identity: { name: 'Stopping app', cookiePrefix: 'stopping_app', accent: 'violet' },
      reconfirmAfterOutageSeconds: OUTAGE_SECONDS,
    });
    const app = new StoppingApp(settings);
    await app.start();
    return app;
  }

  get baseUrl(): string {
    return this.settings.baseUrl;
  }

  async start(): Promise<void> {
    const app = await createApp(this.settings, { logLevels: ['fatal'] });
    this.#running = app;
    await app.listen(this.settings.port, '127.0.0.1');
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = undefined;
  }
}
