import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitAtSignals, type Opened, type Outcome, runCommand } from './command.js';
import { createApp } from './create-app.js';
import { freePort } from './embedded-oneid/free-port.js';
import { OneId } from './oneid/oneid.js';
import { readSettings } from './settings.js';

/** Runs the library's doctor on the reference app, which it starts for this. */
async function doctor(opened: Opened): Promise<Outcome> {
  const exitCode = await run(await startReferenceApp(opened));
  return exitCode === 0 ? 'done' : 'failed';
}

/** @returns the doctor's arguments for it */
async function startReferenceApp(opened: Opened): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-doctor-'));
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  exitAtSignals();
  const databaseUrl = `sqlite:${join(folder, 'sessions.sqlite')}`;
  const settings = readSettings({ PORT: String(await freePort()), DATABASE_URL: databaseUrl });
  const app = await createApp(settings, { logLevels: ['error', 'fatal'] });
  opened.add(() => app.close());
  await app.listen(settings.port, '127.0.0.1');
  const { issuer, clientId } = app.get(OneId).registration;
  return [
    ...['--issuer', issuer, '--client-id', clientId, '--base-url', settings.baseUrl],
    ...['--database-url', databaseUrl],
  ];
}

/** Runs the command as an app does that has installed the package. @returns its exit code */
function run(args: readonly string[]): Promise<number> {
  const main = createRequire(import.meta.url).resolve('nestjs-oneid-logout/package.json');
  const child = spawn(process.execPath, [join(main, '../dist/doctor/main.js'), 'doctor', ...args], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

// `npm run doctor -- --issuer URL` passes the arguments on, and starts nothing
const args = process.argv.slice(2);
if (args.length > 0) process.exitCode = await run(args);
else await runCommand(doctor);
