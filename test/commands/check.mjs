// Runs the commands of this repository, and checks that they work, and that they fail with a clear message. Prints one
// line for each check. The exit code is 1 if a check fails.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/postgres.mjs';
import startPostgres from '../support/global-setup.mjs';
import stopPostgres from '../support/global-teardown.mjs';
import { checkFailingStarts } from './failing-starts.mjs';
import { checkWrongArguments } from './wrong-arguments.mjs';
import { answers, check, expectEqual, failures, run, until } from './processes.mjs';

const folder = await mkdtemp(join(tmpdir(), 'oneid-logout-commands-'));
await startPostgres();

await check('npm start: both apps and their OneID answer at the URLs it prints, and stop when told', async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const app = run('npm', ['start'], { PORT: String(port), DATABASE_URL: `sqlite:${join(folder, 'start.sqlite')}` });
  try {
    expectEqual((await answers(`${url}/healthz`, app)).status, 200, 'GET /healthz');
    expectEqual((await fetch(`${url}/`)).status, 200, 'GET /');
    expectEqual((await fetch(`${url}/me`)).status, 401, 'GET /me');
    expectEqual((await fetch(`${url}/assets/app.js`)).status, 200, 'GET /assets/app.js');
    await until(() => app.output().includes('Try this:'));
    const printed = (what) => new RegExp(`${what} at (http:\\S+)`).exec(app.output())?.[1];
    expectEqual(printed('Ready'), url, 'the URL printed');
    const [secondApp, oneId] = [printed('a second app'), printed('an embedded OneID')];
    expectEqual((await fetch(`${secondApp}/me`)).status, 401, 'GET /me of the second app');
    expectEqual((await fetch(oneId)).status, 200, "GET / of OneID's");
    const again = run('node', ['dist/src/main.js'], { PORT: String(port) });
    expectEqual(await again.exit, 1, 'the exit code of a second one on the same port');
    expectEqual(
      again.output().includes(`Port ${port} is in use. Choose another port: PORT=4000 npm start`),
      true,
      again.output(),
    );
  } finally {
    process.kill(-app.child.pid, 'SIGTERM');
    await app.exit;
  }
  expectEqual(await fetch(url).catch(() => 'no answer'), 'no answer', 'after SIGTERM');
});

for (const [name, url] of [
  ['SQLite', `sqlite:${join(folder, 'migrated.sqlite')}`],
  ['PostgreSQL', process.env.EMBEDDED_POSTGRES_URL],
]) {
  await check(`npm run migration:run on ${name}: creates the tables, and finds them the second time`, async () => {
    // the second time without npm, which would build again
    for (const [command, args, expected] of [
      ['npm', ['run', 'migration:run'], 'has been executed successfully'],
      ['node', ['dist/src/migrate.js'], 'No migrations are pending'],
    ]) {
      const migration = run(command, args, { DATABASE_URL: url });
      const code = await migration.exit;
      if (code !== 0 || !migration.output().includes(expected)) throw new Error(migration.output());
    }
  });
  await check(`npx typeorm migration:revert on ${name}: takes them down again`, async () => {
    const migration = run('npx', ['typeorm', 'migration:revert', '-d', 'dist/ormconfig.js'], { DATABASE_URL: url });
    const code = await migration.exit;
    if (code !== 0 || !migration.output().includes('has been reverted successfully'))
      throw new Error(migration.output());
  });
}

await check('npm run doctor: finds no fault in the reference app, and passes arguments on to the doctor', async () => {
  const doctor = run('npm', ['run', '--silent', 'doctor'], { NO_COLOR: '1' });
  expectEqual(await doctor.exit, 0, `the exit code of\n${doctor.output()}`);
  expectEqual(doctor.output('stdout').match(/^ ✓ /gm)?.length, 14, doctor.output());
  expectEqual(/^ [!✗] /m.test(doctor.output('stdout')), false, doctor.output());
  const lost = run('node', ['dist/src/doctor.js', '--issuer', 'http://127.0.0.1:1/', '--json'], {
    ...{ ONEID_CLIENT_ID: 'app', BASE_URL: 'http://127.0.0.1:1', DATABASE_URL: '' },
  });
  expectEqual(await lost.exit, 1, lost.output());
  expectEqual(JSON.parse(lost.output('stdout')).checks[0].status, 'fault', lost.output());
  const wrong = run('node', ['dist/src/doctor.js', '--isuer'], {});
  expectEqual(await wrong.exit, 2, wrong.output());
});

await check('npm run demo:replicas: all four refuse in time, and stop', async () => {
  const demo = run('npm', ['run', 'demo:replicas'], {});
  const code = await demo.exit;
  if (code !== 0 || demo.output().match(/^ {2}replica \d .* ms \w+ {3}✓$/gm)?.length !== 8)
    throw new Error(demo.output());
});

await checkFailingStarts();
await checkWrongArguments();

await stopPostgres();
await rm(folder, { recursive: true, force: true });
process.exitCode = failures() === 0 ? 0 : 1;
