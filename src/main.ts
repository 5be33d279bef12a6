import { runCommand } from './command.js';
import { createApp } from './create-app.js';
import { OneId } from './oneid/oneid.js';
import { readSettings } from './settings.js';
import { welcome } from './welcome.js';

await runCommand(async (opened) => {
  const settings = readSettings(process.env);
  const app = await createApp(settings);
  opened.add(() => app.close());
  app.enableShutdownHooks();
  const oneId = app.get(OneId);
  if (oneId.embedded === undefined) {
    await app.listen(settings.port);
    console.log(welcome(settings, oneId));
  } else {
    // the password of the demo account is public, so accept connections from this machine only
    await app.listen(settings.port, '127.0.0.1');
    const { startSecondApp } = await import('./second-app.js');
    const secondApp = await startSecondApp(oneId.embedded, settings.port + 2);
    secondApp.enableShutdownHooks();
    console.log(welcome(settings, oneId, await secondApp.getUrl()));
  }
  return 'running';
});
