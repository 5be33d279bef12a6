// A command that can't start says why in one sentence, ends with exit code 1, and leaves nothing open or behind.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, expectEqual, run } from './processes.mjs';

const ENDS_WITHIN = 30_000;
const preload = fileURLToPath(new URL('pretend.cjs', import.meta.url));

const demo = ['dist/src/demo/main.js'];
const replicas = ['dist/src/demo/replicas/main.js'];
const start = ['dist/src/main.js'];
const migrate = ['dist/src/migrate.js'];

const driverMissing = (major) =>
  `OneIdLogoutModule: better-sqlite3 is not installed. Run: npm install better-sqlite3@${major}. In this repository, npm ci installs the right one`;
const driverOfOtherNode =
  `OneIdLogoutModule: better-sqlite3 was compiled for another Node or another machine than this one (Node ${process.versions.node}). ` +
  'Run: npm rebuild better-sqlite3. In this repository, npm ci installs the right one';
const crashingDriver =
  'OneIdLogoutModule: better-sqlite3 13.2.0 needs Node 22 or later. On Node 20.20.2 it would end this process with a segmentation ' +
  'fault. Use Node 22 or later, or run: npm install better-sqlite3@12. In this repository, npm ci installs the right one';
const unreachable = (type) =>
  `OneIdLogoutModule: can't open its database (${type}): connect ECONNREFUSED 127.0.0.1:1. Check that it runs, and that the option database is right`;
const urlForms = 'DATABASE_URL must be sqlite:FILE, postgres://…, mysql://… or mariadb://…';
const major = Number(process.versions.node.split('.')[0]) < 22 ? 12 : 13;

export async function checkFailingStarts() {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-failing-'));
  chmodSync(folder, 0o711);
  const driver = (version) => {
    const path = join(folder, `driver-${version}`);
    mkdirSync(join(path, 'build/Release'), { recursive: true });
    writeFileSync(join(path, 'package.json'), JSON.stringify({ version }));
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
    ['npm run demo', demo, 'better-sqlite3 is missing', { PRETEND_SQLITE: 'missing' }, driverMissing(major)],
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
    ['npm start', start, 'better-sqlite3 is missing', { PRETEND_SQLITE: 'missing' }, driverMissing(major)],
    ['npm start', start, 'better-sqlite3 is of another Node', { PRETEND_SQLITE: 'other-node' }, driverOfOtherNode],
    [
      'npm start',
      start,
      'PostgreSQL is unreachable',
      { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x' },
      unreachable('postgres'),
    ],
    ['npm start', start, 'MySQL is unreachable', { DATABASE_URL: 'mysql://u:p@127.0.0.1:1/x' }, unreachable('mysql')],
    [
      ...['npm start', start, 'the port is taken', { PORT: takenPort }],
      `Port ${takenPort} is taken. Try another: PORT=4000 npm start`,
    ],
    [
      ...[
        'npm start',
        start,
        'settings are wrong',
        { PORT: '0', DATABASE_URL: 'oracle://secret@x', NODE_ENV: 'production' },
      ],
      "The settings can't be used:\n  - PORT must be a port, 1 to 65535\n" +
        `  - ${urlForms}\n  - ONEID_ISSUER must be set in production: the embedded OneID has one account that everybody knows`,
    ],
    [
      ...['npm run demo:replicas', replicas, 'a replica has wrong settings', { REDIS_URL: 'http://x' }],
      "replica 1 did not start: The settings can't be used:\n  - REDIS_URL must be redis://… or rediss://…",
    ],
    [
      'npm run migration:run',
      migrate,
      'the URL is wrong',
      { DATABASE_URL: 'oracle://x' },
      `The settings can't be used:\n  - ${urlForms}`,
    ],
    [
      ...[
        'npm run migration:run',
        migrate,
        'PostgreSQL is unreachable',
        { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x' },
      ],
      "The database of DATABASE_URL can't be opened: connect ECONNREFUSED 127.0.0.1:1",
    ],
    [
      ...['any command', ['test/node/supported.mjs'], 'Node is too old', { PRETEND_NODE: '18.20.4' }],
      'This repository needs Node ^20.19.0 || ^22.12.0 || >=24.0.0, and this is Node 18.20.4: install Node 24 or later',
    ],
  ];
  for (const [command, args, cause, env, sentence] of cases) {
    await check(`${command}, ${cause}: one sentence, exit code 1, and nothing left`, () =>
      expectFailure(args, env, sentence),
    );
  }

  taken.close();
  rmSync(folder, { recursive: true });
}

async function expectFailure(args, env, sentence) {
  const temporary = mkdtempSync(join(tmpdir(), 'oneid-logout-failing-start-'));
  // the PostgreSQL of the replicas runs as another user
  chmodSync(temporary, 0o711);
  const command = run(process.execPath, args, {
    ...{ TMPDIR: temporary, NODE_OPTIONS: `--require=${preload}`, PORT: '' },
    ...env,
  });
  const deadline = setTimeout(() => process.kill(-command.child.pid, 'SIGKILL'), ENDS_WITHIN);
  try {
    expectEqual(await command.exit, 1, `the exit code (${command.output()})`);
    expectEqual(told(command.output('stderr')), sentence, 'what it says');
    expectEqual(readdirSync(temporary).join(), '', 'temporary files');
    expectEqual(groupLives(command.child.pid), false, 'a process of it goes on');
  } finally {
    clearTimeout(deadline);
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Without what oidc-provider says of Node 20. */
function told(output) {
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
