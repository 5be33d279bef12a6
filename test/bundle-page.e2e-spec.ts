import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const config = join(root, 'test/projects/webpack.config.cjs');

/** Prints which of the requests the configuration leaves out. It runs in Node, because Jest finds packages in its own way. */
const script = `
  const [config, folder, ...requests] = process.argv.slice(1);
  class IgnorePlugin {
    constructor({ checkResource }) { this.ignores = checkResource; }
  }
  const { plugins: [plugin] } = require(config)({ plugins: [] }, { IgnorePlugin });
  console.log(JSON.stringify(requests.filter((request) => plugin.ignores(request, folder))));
`;

it('A11: docs/bundle.md shows the configuration that test/projects builds with', () => {
  const page = readFileSync(join(root, 'docs/bundle.md'), 'utf8');
  const [, shown] = /^```js webpack\.config\.js\n([^]*?)^```$/m.exec(page) ?? [];
  expect(shown).toBe(readFileSync(config, 'utf8'));
});

describe('A11: the configuration of a bundle', () => {
  const requests: [what: string, request: string, absent: boolean][] = [
    ['leaves out a package that the app does not have', 'of-no-app', true],
    ['leaves out a file of a package that the app does not have', '@of-no-app/sockets/socket-module', true],
    ['keeps a package', 'usual', false],
    ['keeps a file of the app that does not exist, so that the bundler reports it', './missing', false],
    ['keeps a package for import() alone', 'only-for-import', false],
    ['keeps a package with a fault, so that the bundler reports it', 'faulty', false],
  ];
  let folder: string;
  let leftOut: string[];

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-bundle-')));
    addPackage('usual', { main: 'index.js' });
    addPackage('only-for-import', { type: 'module', exports: { import: './index.js' } });
    addPackage('faulty', { exports: 'index.js' });
    const args = ['-e', script, config, folder, ...requests.map(([, request]) => request)];
    leftOut = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function addPackage(name: string, manifest: object): void {
    const files = join(folder, 'node_modules', name);
    mkdirSync(files, { recursive: true });
    writeFileSync(join(files, 'package.json'), JSON.stringify({ name, ...manifest }));
    writeFileSync(join(files, 'index.js'), '');
  }

  it.each(requests)('%s', (_what, request, absent) => {
    expect(leftOut.includes(request)).toBe(absent);
  });
});
