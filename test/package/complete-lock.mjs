// npm writes no entry into package-lock.json for an optional package that its registry does not serve, for example for
// another platform. `npm ci` then refuses the file. This script adds these entries.
// Run it after `npm install`: npm run lock
import { readFileSync, writeFileSync } from 'node:fs';

const PLATFORMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'wasm32'];
const file = new URL('../../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = [];

for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  if (!path.startsWith('node_modules/')) continue;
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const entry = `node_modules/${name}`;
    const [os, cpu] = (name.match(new RegExp(`(?:^|[-/])(${PLATFORMS.join('|')})-([a-z0-9]+)`)) ?? []).slice(1);
    if (lock.packages[entry] !== undefined || lock.packages[`${path}/${entry}`] !== undefined || os === undefined)
      continue;
    lock.packages[entry] = {
      version,
      ...(os === 'wasm32' ? { cpu: ['wasm32'] } : { os: [os], cpu: [cpu] }),
      ...(dev && { dev }),
      optional: true,
    };
    added.push(name);
  }
}

// better-sqlite3 13 contains its binaries, but npm does not note this. Without this line `npm ci` would compile it, and
// without a compiler npm would not install it, because it is optional
lock.packages['node_modules/better-sqlite3'].gypfile = false;

const packages = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(packages);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'package-lock.json is complete' : `added ${added.join(', ')}`);
