// Packs the library, installs the tarball in a new project without network, and uses it like an app.
// It needs the library's `dist`: npm run test:package
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { check, failures, faultsOfCommand } from '../support/checks.mjs';
import { anchorsOf, linksOf } from '../support/documents.ts';
import { nodeLines, satisfies } from '../node/supported.mjs';
import { makeSbom } from './sbom.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const library = join(root, 'libs/oneid-logout');
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-package-')));
const project = join(temporary, 'project');
const installed = join(project, 'node_modules/nestjs-oneid-logout');
const manifest = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

/** Only the last check installs it. The others show that the library works and type-checks without it. */
const openTelemetry = '@opentelemetry/api';

/** Puts a package of this repository into the project. */
function link(name) {
  const target = join(project, 'node_modules', name);
  mkdirSync(dirname(target), { recursive: true });
  // when the root has another version of a dependency, npm installs it in the library's folder
  const own = join(root, 'libs/oneid-logout/node_modules', name);
  symlinkSync(existsSync(own) ? own : join(root, 'node_modules', name), target);
}

/** Installs only the packages that package.json declares. An import of another package then fails. */
function install(tarball) {
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const needed = declared.filter((name) => name !== openTelemetry);
  for (const name of [...needed, '@nestjs/platform-express', '@types/node']) link(name);
  cpSync(join(here, 'consumer'), project, { recursive: true });
  for (const copy of ['consumer.cts', 'consumer.ts']) cpSync(join(project, 'consumer.mts'), join(project, copy));
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
    ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'dist/index.js', 'dist/index.d.ts'],
    ...[
      'dist/testing/index.js',
      'dist/testing/index.d.ts',
      'dist/doctor/main.js',
      'docs/test-with-stand-ins.md',
      'docs/versioning.md',
      'docs/oneid-logout.rules.yml',
    ],
  ].filter((file) => !files.includes(file));
  const foreign = files.filter(
    (file) =>
      !/^(package\.json|[A-Z]+(\.vi)?\.md|LICENSE|dist\/[\w/.-]+\.(js|d\.ts)|docs\/[\w/.-]+\.(md|svg|rules\.yml))$/.test(
        file,
      ) || /(spec|test)\.(js|d\.ts)$/.test(file),
  );
  const repositoryPages = [
    'docs/conformance.md',
    'docs/fuzzing.md',
    'docs/mutation.md',
    'docs/releasing.md',
    'docs/testing.md',
  ].filter((file) => files.includes(file));
  return [
    ...required.map((file) => `${file} is missing`),
    ...[...foreign, ...repositoryPages].map((file) => `${file} should not be there`),
  ];
}

/** A reader of the package has no repository: each link must lead to a file and a heading of the package. */
function linkFaults() {
  const pages = filesIn(installed).filter((file) => file.endsWith('.md'));
  return pages.flatMap((page) => {
    const links = linksOf(join(installed, page));
    const inPackage = links.filter((target) => !target.startsWith('#'));
    if (page.startsWith('README'))
      return inPackage.map((target) => `${page} links to ${target}: name the file instead`);
    return links
      .filter((target) => {
        const [file, anchor] = target.split('#');
        const there = file === '' ? join(installed, page) : join(installed, dirname(page), file);
        if (!there.startsWith(installed) || !existsSync(there)) return true;
        return anchor !== undefined && !anchorsOf(there).includes(anchor);
      })
      .map((target) => `${page} links to ${target}, which the package does not have`);
  });
}

/** README names files by their path in the package. */
function nameFaults() {
  const names = ['README.md', 'README.vi.md'].flatMap((page) =>
    [...readFileSync(join(installed, page), 'utf8').matchAll(/`((?:docs|dist)\/[^`]+|[A-Z]+\.md)`/g)].map(
      ([, name]) => [page, name],
    ),
  );
  if (names.length === 0) return ['README.md names no page'];
  return names
    .filter(([, name]) => !existsSync(join(installed, name)))
    .map(([page, name]) => `${page} names ${name}, which the package does not have`);
}

async function publintFaults() {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
  return messages.map((message) => formatMessage(message, pkg) ?? message.code);
}

/**
 * The strict profile: every way in which TypeScript finds types. One rule is off: a CommonJS app gets an ES module, and
 * every supported Node can `require` it.
 */
async function attwFaults(tarball) {
  const command = `npx attw --no-color --profile strict --ignore-rules cjs-resolves-to-esm -- ${tarball}`;
  return faultsOfCommand(command, { cwd: root, env: process.env });
}

/** Packs a copy of the repository in another folder, with another umask, other times, and another language. */
async function reproductionFaults(tarball) {
  const copy = join(temporary, 'copy');
  const copied = [
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'README.vi.md', 'SECURITY.md', 'jest.config.js', 'package.json'],
    ...['docs', 'test/package', 'test/support', 'libs/oneid-logout/package.json', 'libs/oneid-logout/dist'],
  ];
  for (const path of copied) cpSync(join(root, path), join(copy, path), { recursive: true });
  for (const path of filesIn(copy)) {
    chmodSync(join(copy, path), 0o600);
    utimesSync(join(copy, path), 1, 1);
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const command = `umask 077 && npm pack --silent --pack-destination '${copy}'`;
  const env = { ...process.env, LC_ALL: 'vi_VN.UTF-8', TZ: 'Asia/Ho_Chi_Minh' };
  execFileSync('sh', ['-c', command], {
    cwd: join(copy, 'libs/oneid-logout'),
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return readFileSync(join(copy, basename(tarball))).equals(readFileSync(tarball)) ? [] : ['the bytes differ'];
}

/** The release of one commit has one SBOM. */
function sbomFaults() {
  const [first, second] = [1, 2].map(() => makeSbom('0123456789abcdef'.repeat(4), '2026-01-01T00:00:00.000Z'));
  const { components, metadata } = JSON.parse(first);
  const listed = components.map(({ name }) => name).join();
  const expected = Object.keys(manifest.dependencies).sort().join();
  return [
    ...(first === second ? [] : ['two SBOMs of one release differ']),
    ...(listed === expected ? [] : [`it lists ${listed} instead of ${expected}`]),
    ...(metadata.component.name === manifest.name ? [] : [`it describes ${metadata.component.name}`]),
  ];
}

/** docs/versioning.md must name the versions that package.json accepts. */
function versionFaults() {
  const page = readFileSync(join(root, 'docs/versioning.md'), 'utf8').replaceAll('\\|', '|');
  const { engines, peerDependencies } = manifest;
  return Object.entries({
    Node: engines.node,
    NestJS: peerDependencies['@nestjs/core'],
    TypeORM: peerDependencies.typeorm,
  })
    .filter(
      ([name, range]) => !new RegExp(`^\\| ${name} +\\| \`${range.replaceAll(/[\^.|]/g, '\\$&')}\``, 'm').test(page),
    )
    .map(([name, range]) => `docs/versioning.md does not say ${name} ${range}`);
}

/** A host's Jest may convert the library to CommonJS, where `import.meta` is a syntax error: see docs/test-with-stand-ins.md. */
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

const STRICT = {
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
  skipLibCheck: true,
  noEmit: true,
};

/** TypeScript's default for CommonJS projects before `nodenext`. It does not read `exports`. */
const NODE10 = {
  module: ts.ModuleKind.CommonJS,
  moduleResolution: ts.ModuleResolutionKind.Node10,
  ignoreDeprecations: '6.0',
};

function typeFaults(file, options = {}) {
  const program = ts.createProgram([join(project, file)], { ...STRICT, ...options });
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
  const tarball = join(temporary, filename);
  install(tarball);
  await check('the tarball has only package.json, dist, README, docs and LICENSE', contentFaults);
  await check('A5: every link of its README and its docs leads to a file of the tarball', linkFaults);
  await check('A5: its README names files of the tarball', nameFaults);
  await check('A5: publint finds no fault', publintFaults);
  await check('A5: attw finds no fault', () => attwFaults(tarball));
  await check('npm pack gives the same bytes in another folder', () => reproductionFaults(tarball));
  await check('the SBOM lists the dependencies, and is the same twice', sbomFaults);
  await check('docs/versioning.md names the versions in package.json', versionFaults);
  await check('no file has import.meta', importMetaFaults);
  await check('every import is declared in package.json', importFaults);
  await check('the supported versions of Node are the versions in docs/node-versions.md', nodeFaults);
  await check('an ESM app imports it and works', () => run('app.mjs'));
  await check('a CommonJS app requires it and works', () => run('app.cjs'));
  await check('npx nestjs-oneid-logout doctor starts', doctorFaults);
  await check('files that are not exported cannot be imported', () => run('deep-import.mjs'));
  await check('an ESM consumer type-checks', () => typeFaults('consumer.mts'));
  await check('a CommonJS consumer type-checks', () => typeFaults('consumer.cts'));
  await check("an ESM consumer type-checks, the library's declarations too", () =>
    typeFaults('consumer.mts', { skipLibCheck: false }),
  );
  await check("a CommonJS consumer type-checks, the library's declarations too", () =>
    typeFaults('consumer.cts', { skipLibCheck: false }),
  );
  await check('A3: an app with the module resolution node10 type-checks, /testing too', () =>
    typeFaults('consumer.ts', NODE10),
  );
  link(openTelemetry);
  await check('a CommonJS app with @opentelemetry/api gets metrics', () => run('metrics.cjs'));
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(failures() === 0 ? 'the package is fine' : `${failures()} checks of the package failed`);
process.exitCode = failures() === 0 ? 0 : 1;
