// Runs at the end of `npm ci` and `npm install`. better-sqlite3 13 needs Node 22, so on Node 20 npm does not
// install it. This script then installs version 12 instead, from a separate lock file.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NEEDS_VERSION_12 = Number(process.versions.node.split('.')[0]) < 22;
const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const place = pathOf('../../node_modules/better-sqlite3');

// `npm ci --dry-run` must not change any file
if (process.env.npm_config_dry_run === 'true') process.exit(0);

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

function installVersion12() {
  const folder = pathOf('../../node_modules/.sqlite-for-node-20');
  cpSync(pathOf('sqlite-for-node-20'), folder, { recursive: true });
  console.log('Installing better-sqlite3 12 for Node 20. If npm finds no ready binary, it compiles for some minutes.');
  try {
    execFileSync(process.execPath, [process.env.npm_execpath, 'ci'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } catch {
    fail(
      'better-sqlite3 12 could not be installed. On Node 20 it needs python3, make and a C++ compiler; Node 22 and later ' +
        'need none of them.',
    );
  }
  rmSync(place, { recursive: true, force: true });
  symlinkSync('.sqlite-for-node-20/node_modules/better-sqlite3', place, 'junction');
}

if (NEEDS_VERSION_12) installVersion12();
// npm prints no error when it cannot install an optional package
const optionalWanted = !(process.env.npm_config_omit ?? '').split(/\s+/).includes('optional');
if (optionalWanted && !existsSync(place))
  fail('npm did not install better-sqlite3. To see the reason, run: npm ci --loglevel verbose');
