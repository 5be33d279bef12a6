import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitAtSignals, type Opened, type Outcome, runCommand } from '../command.js';
import { createApp } from '../create-app.js';
import { freePort } from '../embedded-oneid/free-port.js';
import { OneId } from '../oneid/oneid.js';
import { readSettings } from '../settings.js';
import { Chapters } from './chapters.js';
import { Story } from './story.js';

/** Runs the reference app and its embedded OneID in this process, over real HTTP, with a temporary database. */
async function demo(opened: Opened): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-demo-'));
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  exitAtSignals();

  const settings = readSettings({
    PORT: String(await freePort()),
    DATABASE_URL: `sqlite:${join(folder, 'sessions.sqlite')}`,
  });
  const app = await createApp(settings, { logLevels: ['error', 'fatal'] });
  opened.add(() => app.close());
  await app.listen(settings.port, '127.0.0.1');
  const { embedded } = app.get(OneId);
  if (embedded === undefined) throw new Error('The demo needs the embedded OneID, but the app started without it');
  console.log(`The app: ${settings.baseUrl}   OneID: ${embedded.issuer}`);
  const story = new Story(console.log);
  await Chapters.tell(story, settings.baseUrl, embedded, join(folder, 'stopping.sqlite'));
  return story.end() ? 'done' : 'failed';
}

await runCommand(demo);
