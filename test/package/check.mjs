// Packs the library, installs the tarball in a new project without network, and uses it like an app.
// Run it after `nest build oneid-logout`: node test/package/check.mjs
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { nodeLines, satisfies } from '../node/supported.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const library = join(root, 'libs/oneid-logout');
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-package-')));
const project = join(temporary, 'project');
const installed = join(project, 'node_modules/nestjs-oneid-logout');
const manifest = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

let failures = 0;

/** Prints one line for a check. The check fails when its body throws or returns faults. */
async function check(name, body) {
  let faults;
  try {
    faults = (await body()) ?? [];
  } catch (error) {
    faults = [error.stderr?.toString() || (error.stack ?? String(error))];
  }
  if (faults.length > 0) failures++;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const fault of faults) console.log(`     ${fault.trim().replaceAll('\n', '\n     ')}`);
}

/** Installs only the packages that package.json declares. An import of another package then fails. */
function install(tarball) {
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const name of [...declared, '@nestjs/platform-express', '@types/node']) {
    const target = join(project, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    // when the root has another version of a dependency, npm installs it in the library's folder
    const own = join(root, 'libs/oneid-logout/node_modules', name);
    symlinkSync(existsSync(own) ? own : join(root, 'node_modules', name), target);
  }
  cpSync(join(here, 'consumer'), project, { recursive: true });
  cpSync(join(project, 'consumer.mts'), join(project, 'consumer.cts'));
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, '/'),
    );
}

function contentFaults() {
  const files = filesIn(installed);
  const required = [
    ...['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'],
    ...['dist/testing/index.js', 'dist/testing/index.d.ts', 'dist/doctor/main.js'],
  ].filter((file) => !files.includes(file));
  const foreign = files.filter(
    (file) =>
      !/^(package\.json|README\.md|LICENSE|dist\/[\w/.-]+\.(js|d\.ts))$/.test(file) ||
      /(spec|test)\.(js|d\.ts)$/.test(file),
  );
  return [...required.map((file) => `${file} is missing`), ...foreign.map((file) => `${file} should not be there`)];
}

/** A host's Jest may convert the library to CommonJS, where `import.meta` is a syntax error: see docs/testing.md. */
function importMetaFaults() {
  return filesIn(join(installed, 'dist'))
    .filter((file) => /\bimport\.meta\b/.test(readFileSync(join(installed, 'dist', file), 'utf8')))
    .map((file) => `dist/${file} has import.meta`);
}

function importFaults() {
  return filesIn(join(installed, 'dist')).flatMap((file) => {
    const text = readFileSync(join(installed, 'dist', file), 'utf8');
    return ts
      .preProcessFile(text, true, true)
      .importedFiles.map(({ fileName }) => fileName)
      .filter((name) => !name.startsWith('.') && !name.startsWith('node:') && !builtinModules.includes(name))
      .map((name) =>
        name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/'),
      )
      .filter((name) => !declared.includes(name))
      .map((name) => `dist/${file} imports ${name}, which package.json does not declare`);
  });
}

/** The table in docs/node-versions.md, `engines` and `npm run test:nodes` must name the same versions of Node. */
function nodeFaults() {
  const document = readFileSync(join(root, 'docs/node-versions.md'), 'utf8');
  const table = document.matchAll(/^\| (\d+)(?:, from \d+\.(\d+) on)? +\|/gm);
  const lines = [...table].map(([, major, minor = '0']) => ({ major, minor: Number(minor) })).reverse();
  const { node } = manifest.engines;
  const expected = (major, minor, accepted) =>
    satisfies(`${major}.${minor}.0`, node) === accepted
      ? []
      : [`engines ${node}: ${major}.${minor}.0 should be ${accepted}`];
  return [
    ...(lines.map(({ major }) => major).join() === nodeLines.join() ? [] : [`the table has ${JSON.stringify(lines)}`]),
    ...(rootManifest.engines.node === node ? [] : [`engines of the repository: ${rootManifest.engines.node}`]),
    ...lines.flatMap(({ major, minor }) => [
      ...expected(major, minor, true),
      ...(minor > 0 ? expected(major, minor - 1, false) : []),
    ]),
    ...expected('18', 20, false),
  ];
}

function run(file) {
  execFileSync(process.execPath, [file], { cwd: project, stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 });
}

/** Runs the command as npx does: by the name in `bin`, in the project that has installed the package. */
function doctorFaults() {
  const [[name, file]] = Object.entries(manifest.bin);
  const main = join(installed, file);
  const first = readFileSync(main, 'utf8').split('\n', 1)[0];
  if (first !== '#!/usr/bin/env node') return [`the bin ${name} begins with ${first}`];
  const help = execFileSync(process.execPath, [main, 'doctor', '--help'], { cwd: project, encoding: 'utf8' });
  return help.startsWith(`npx ${name} doctor [settings]\n`) ? [] : [`doctor --help prints: ${help}`];
}

/** @param strictLibraries also checks the declarations of other packages */
function typeFaults(file, strictLibraries) {
  const program = ts.createProgram([join(project, file)], {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    typeRoots: [join(project, 'node_modules/@types')],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: !strictLibraries,
    noEmit: true,
  });
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file: at }) => at === undefined || at.fileName.startsWith(temporary))
    .map((diagnostic) =>
      ts.formatDiagnostic(diagnostic, {
        getCanonicalFileName: (name) => name,
        getCurrentDirectory: () => project,
        getNewLine: () => '\n',
      }),
    );
}

try {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', temporary], {
    cwd: library,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename }] = Object.values(JSON.parse(packed));
  install(join(temporary, filename));
  await check('the tarball has only package.json, dist, README and LICENSE', contentFaults);
  await check('no file has import.meta', importMetaFaults);
  await check('every import is declared in package.json', importFaults);
  await check('the supported versions of Node are the versions in docs/node-versions.md', nodeFaults);
  await check('an ESM app imports it and works', () => run('app.mjs'));
  await check('a CommonJS app requires it and works', () => run('app.cjs'));
  await check('npx nestjs-oneid-logout doctor starts', doctorFaults);
  await check('files that are not exported cannot be imported', () => run('deep-import.mjs'));
  await check('an ESM consumer type-checks', () => typeFaults('consumer.mts', false));
  await check('a CommonJS consumer type-checks', () => typeFaults('consumer.cts', false));
  await check("an ESM consumer type-checks, the library's declarations too", () => typeFaults('consumer.mts', true));
  await check("a CommonJS consumer type-checks, the library's declarations too", () =>
    typeFaults('consumer.cts', true),
  );
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(failures === 0 ? 'the package is fine' : `${failures} checks of the package failed`);
process.exitCode = failures === 0 ? 0 : 1;
