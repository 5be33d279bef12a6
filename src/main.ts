import { createApp } from './create-app.js';
import { OneId } from './oneid/oneid.js';
import { readSettings, SettingsError } from './settings.js';
import { welcome } from './welcome.js';

try {
  const settings = readSettings(process.env);
  const app = await createApp(settings);
  app.enableShutdownHooks();
  const oneId = app.get(OneId);
  if (oneId.embedded === undefined) {
    await app.listen(settings.port);
    console.log(welcome(settings, oneId));
  } else {
    // with an account that everybody knows, this is for nobody but this machine
    await app.listen(settings.port, '127.0.0.1');
    const { startSecondApp } = await import('./second-app.js');
    const secondApp = await startSecondApp(oneId.embedded, settings.port + 2);
    secondApp.enableShutdownHooks();
    console.log(welcome(settings, oneId, await secondApp.getUrl()));
  }
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : (portTaken(error) ?? error));
  process.exit(1);
}

function portTaken(error: unknown): string | undefined {
  const { code, port } = error as { code?: unknown; port?: unknown };
  return code === 'EADDRINUSE' ? `Port ${String(port)} is taken. Try another: PORT=4000 npm start` : undefined;
}
