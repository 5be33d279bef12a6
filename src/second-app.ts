import { type NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from './create-app.js';
import { type EmbeddedOneId } from './embedded-oneid/embedded-oneid.js';
import { freePort } from './embedded-oneid/free-port.js';
import { registerAnotherApp } from './oneid/registration.js';
import { type AppIdentity } from './settings.js';

const IDENTITY: AppIdentity = { name: 'Second app', cookiePrefix: 'second_app', accent: 'violet' };

/**
 * Starts the reference app a second time, as another app of the same OneID. It has its own database, so only OneID can
 * tell it about a logout.
 *
 * @param preferredPort when this port is taken, the app gets any free port
 */
export async function startSecondApp(oneId: EmbeddedOneId, preferredPort: number): Promise<NestExpressApplication> {
  const port = await freePort(preferredPort < 65_536 ? preferredPort : 0);
  const database = { type: 'better-sqlite3', database: ':memory:' } as const;
  const settings = await registerAnotherApp(oneId, 'second-app', { port, database, identity: IDENTITY });
  const app = await createApp(settings, { logLevels: ['error', 'fatal', 'warn'] });
  try {
    await app.listen(port, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  return app;
}
