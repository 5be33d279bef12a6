import { createApp } from './create-app.js';
import { OneId } from './oneid/oneid.js';
import { readSettings, SettingsError } from './settings.js';
import { welcome } from './welcome.js';

try {
  const settings = readSettings(process.env);
  const app = await createApp(settings);
  app.enableShutdownHooks();
  const oneId = app.get(OneId);
  if (oneId.embedded === undefined) await app.listen(settings.port);
  // with an account that everybody knows, this is for nobody but this machine
  else await app.listen(settings.port, '127.0.0.1');
  console.log(welcome(settings, oneId));
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}
