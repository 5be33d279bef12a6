// A command that cannot start prints the reason in one sentence and ends with exit code 1.
// It leaves no process and no temporary file.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, expectEqual, run, twoAtOnce, until } from './processes.mjs';

/** The time limit of a command, milliseconds. */
const ENDS_WITHIN = 90_000;
const preload = fileURLToPath(new URL('pretend.cjs', import.meta.url));

const demo = ['dist/src/demo/main.js'];
const replicas = ['dist/src/demo/replicas/main.js'];
const app = ['dist/src/main.js'];
const migrate = ['dist/src/migrate.js'];

const driverMissing = 'better-sqlite3 is not installed. Run: npm ci';
const driverOfOtherNode =
  `better-sqlite3 was compiled for another version of Node or for another machine (this is Node ${process.versions.node}). ` +
  'Run: npm ci';
const crashingDriver =
  'better-sqlite3 13.2.0 needs Node 22 or later, and on Node 20.20.2 it would end this process with a segmentation fault. ' +
  'Run: npm ci';
const unreachable = (type) =>
  `OneIdLogoutModule: can't open its database (${type} at 127.0.0.1:1): connect ECONNREFUSED 127.0.0.1:1. Check that the database is running ` +
  'and that the option database is right. This app takes its database from DATABASE_URL';
const urlForms =
  'DATABASE_URL must be sqlite:FILE, postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded)';

export async function checkFailingStarts() {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-failing-'));
  chmodSync(folder, 0o711);
  const driver = (version) => {
    const path = join(folder, `driver-${version}`);
    mkdirSync(join(path, 'build/Release'), { recursive: true });
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'better-sqlite3', version }));
    writeFileSync(
      join(path, 'build/Release/better_sqlite3.node'),
      '_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateE',
    );
    return path;
  };
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const takenPort = String(taken.address().port);

  const cases = [
    ['npm run demo', demo, 'better-sqlite3 is missing', { PRETEND_SQLITE: 'missing' }, driverMissing],
    ['npm run demo', demo, 'better-sqlite3 is of another Node', { PRETEND_SQLITE: 'other-node' }, driverOfOtherNode],
    [
      ...['npm run demo', demo, 'better-sqlite3 13 on Node 20'],
      { PRETEND_SQLITE: driver('13.2.0'), PRETEND_NODE: '20.20.2' },
      crashingDriver,
    ],
    [
      ...['npm run demo', demo, 'no folder for temporary files', { TMPDIR: join(folder, 'none') }],
      `ENOENT: no such file or directory, mkdtemp '${join(folder, 'none', 'oneid-demo-XXXXXX')}'`,
    ],
    ['npm start', app, 'better-sqlite3 is missing', { PRETEND_SQLITE: 'missing' }, driverMissing],
    ['npm start', app, 'better-sqlite3 is of another Node', { PRETEND_SQLITE: 'other-node' }, driverOfOtherNode],
    [
      'npm start',
      app,
      'PostgreSQL is unreachable',
      { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x' },
      unreachable('postgres'),
    ],
    ['npm start', app, 'MySQL is unreachable', { DATABASE_URL: 'mysql://u:p@127.0.0.1:1/x' }, unreachable('mysql')],
    [
      ...['npm start', app, 'the port is taken', { PORT: takenPort }],
      `Port ${takenPort} is in use. Choose another port: PORT=4000 npm start`,
    ],
    [
      ...[
        'npm start',
        app,
        'settings are wrong',
        { PORT: '0', DATABASE_URL: 'oracle://secret@x', NODE_ENV: 'production' },
      ],
      "The app can't use these settings:\n  - PORT must be a port, 1 to 65535\n" +
        `  - ${urlForms}\n  - ONEID_ISSUER must be set in production: the password of the embedded OneID is public`,
    ],
    [
      ...['npm run demo:replicas', replicas, 'a replica has wrong settings', { REDIS_URL: 'http://x' }],
      "replica 1 did not start: The app can't use these settings:\n  - REDIS_URL must be redis://… or rediss://…",
    ],
    [
      'npm run migration:run',
      migrate,
      'the URL is wrong',
      { DATABASE_URL: 'oracle://x' },
      `The app can't use these settings:\n  - ${urlForms}`,
    ],
    [
      ...[
        'npm run migration:run',
        migrate,
        'PostgreSQL is unreachable',
        { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x' },
      ],
      "The command can't open the database of DATABASE_URL: connect ECONNREFUSED 127.0.0.1:1. Check that the database is running and that the URL is right",
    ],
    ['npm run migration:run', migrate, 'better-sqlite3 is missing', { PRETEND_SQLITE: 'missing' }, driverMissing],
    [
      ...['any command', ['test/node/supported.mjs'], 'Node is too old', { PRETEND_NODE: '18.20.4' }],
      'This repository needs Node ^20.19.0 || ^22.12.0 || >=24.0.0, and this is Node 18.20.4: install Node 24 or later',
    ],
  ];
  await twoAtOnce(cases, ([command, args, cause, env, sentence]) =>
    check(`${command}, ${cause}: one sentence, exit code 1, and nothing left`, () =>
      expectFailure(args, env, sentence),
    ),
  );

  const demos = [
    ['npm run demo', demo],
    ['npm run demo:replicas', replicas],
  ];
  const signals = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ];
  const endings = demos.flatMap((command) => signals.map((signal) => [...command, ...signal]));
  await twoAtOnce(endings, ([name, args, signal, code]) =>
    check(`${name}, ${signal}: exit code ${code}, and nothing left`, () => expectEnding(args, signal, code)),
  );
  await check('npm run demo, into a pipe whose reader has ended: nothing is said, and nothing left', () =>
    expectQuietEnd(demo),
  );

  taken.close();
  rmSync(folder, { recursive: true });
}

async function expectFailure(args, env, sentence) {
  await withTemporaryFolder(async (TMPDIR) => {
    const command = start(args, { TMPDIR, ...env });
    expectEqual(await command.exit, 1, `the exit code (${command.output()})`);
    expectEqual(messageIn(command.output('stderr')), sentence, 'its message');
    await expectNothingLeft(command, TMPDIR);
  });
}

/** Sends the signal when the command has started everything. */
async function expectEnding(args, signal, code) {
  await withTemporaryFolder(async (TMPDIR) => {
    const command = start(args, { TMPDIR });
    await until(() => /The app: |Four replicas/.test(command.output('stdout')));
    process.kill(command.child.pid, signal);
    expectEqual(await command.exit, code, `the exit code (${command.output()})`);
    await expectNothingLeft(command, TMPDIR);
  });
}

async function expectQuietEnd(args) {
  await withTemporaryFolder(async (TMPDIR) => {
    const command = start(args, { TMPDIR });
    command.child.stdout.destroy();
    expectEqual(await command.exit, 1, `the exit code (${command.output()})`);
    expectEqual(messageIn(command.output('stderr')), '', 'its message');
    await expectNothingLeft(command, TMPDIR);
  });
}

async function withTemporaryFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-failing-start-'));
  // the PostgreSQL of the replicas runs as another user, who creates the lock file of its socket here
  chmodSync(folder, 0o711);
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function start(args, env) {
  const command = run(process.execPath, args, { NODE_OPTIONS: `--require=${preload}`, PORT: '', ...env });
  const deadline = setTimeout(() => process.kill(-command.child.pid, 'SIGKILL'), ENDS_WITHIN);
  void command.exit.then(() => clearTimeout(deadline));
  return command;
}

/** Waits for the end of the processes, because the system removes an ended process a little later. */
async function expectNothingLeft(command, folder) {
  expectEqual(readdirSync(folder).join(), '', 'temporary files');
  await until(() => !groupLives(command.child.pid));
}

/** The command's message, without the warnings of oidc-provider about Node 20. */
function messageIn(output) {
  return output
    .split('\n')
    .filter((line) => !line.startsWith('oidc-provider WARNING'))
    .join('\n')
    .trim();
}

function groupLives(pid) {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
