// Makes six real projects with Nest's CLI, installs the packed library into each, and checks in each that the app
// builds, that the tests of the template pass, and that the built app signs in and logs out. Project 2 also checks the
// oldest TypeScript that the docs allow. It prints one line for each check, and needs a registry of npm.
// `npm run test:projects -- 3` runs only project 3.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { installNode } from '../node/node-version.mjs';
import { TestPostgres } from '../support/postgres.mjs';
import { check, failures, faultsOfCommand } from '../support/checks.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-projects-')));
const started = performance.now();

/** The file that `npm pack` writes. */
function pack() {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', temporary], {
    cwd: join(root, 'libs/oneid-logout'),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename }] = Object.values(JSON.parse(packed));
  return join(temporary, filename);
}

const tarball = pack();

/** Calls `make` once for each key, and then returns the same promise again. */
function once(make) {
  const made = new Map();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key);
  };
}

/** Two commands at a time. The machine has few processors, and npm waits for the network about half of its time. */
const AT_ONCE = 2;
let running = 0;
const waiting = [];

async function inTurn(work) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

async function execute(command, options) {
  const faults = await inTurn(() => faultsOfCommand(command, options));
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

const [ownVersion] = process.versions.node.split('.');
const nodeOf = once(async (version) =>
  version === ownVersion
    ? { version, name: `Node ${process.versions.node}`, env: { ...process.env } }
    : installNode(version, temporary),
);

/** Programs that the projects need only from outside: each in a folder of its own, with `bin` first in the `PATH`. */
const programOf = once(async (spec) => {
  const folder = join(temporary, `program-${spec.replaceAll(/\W+/g, '-')}`);
  mkdirSync(folder);
  writeJson(join(folder, 'package.json'), { private: true });
  await execute(`npm install --no-audit --no-fund ${spec}`, { cwd: folder, env: (await nodeOf('24')).env });
  return join(folder, 'node_modules/.bin');
});

/** What `nest new` makes. @param version the major version of the CLI */
const generated = once(async (version) => {
  const env = withProgram((await nodeOf('24')).env, await programOf(`@nestjs/cli@${version}`));
  const name = `nest-${version}`;
  await execute(`nest new ${name} --skip-install --skip-git --package-manager npm`, { cwd: temporary, env });
  return join(temporary, name);
});

/** The project after the `npm install` that `nest new` runs. */
const installed = once(async (version) => {
  const folder = await generated(version);
  const copy = join(temporary, `installed-${version}`);
  cpSync(folder, copy, { recursive: true });
  await execute('npm install --no-audit --no-fund', { cwd: copy, env: (await nodeOf('24')).env });
  return copy;
});

function withProgram(env, folder) {
  return { ...env, PATH: [folder, env.PATH].join(delimiter) };
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

function edit(file, change) {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

function editJson(file, change) {
  writeJson(file, change(readJson(file)));
}

/** The first block of code of a language under a heading of a page. */
function codeBlock(page, heading, language) {
  const text = readFileSync(join(root, page), 'utf8');
  const [, block] = new RegExp(`^## ${heading}$.*?^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text) ?? [];
  if (block === undefined) throw new Error(`${page} has no block of ${language} under ${heading}`);
  return block;
}

/** What an app with ts-jest puts into its settings. */
const jestBlock = () => JSON.parse(codeBlock('docs/test-with-stand-ins.md', 'Jest in a NestJS 11 app', 'json'));

/** The command of the docs, in one line. */
const esbuildCommand = () =>
  codeBlock('docs/bundle.md', 'esbuild', 'sh')
    .replaceAll(/[\s\\]+/g, ' ')
    .trim();

/** Puts the shared files of `app/` into a project. A CommonJS project imports without `.js`, as its template does. */
function addApp(folder, { commonJs, database = 'database.ts' }) {
  const app = fileURLToPath(new URL('app', import.meta.url));
  for (const name of readdirSync(app, { recursive: true })) {
    if (!name.endsWith('.ts') || name.endsWith('database.bundled.ts')) continue;
    const from = name.endsWith('database.ts') ? join(app, dirname(name), database) : join(app, name);
    const text = readFileSync(from, 'utf8');
    // under its real name, the repository's own Jest would run it
    const to = join(folder, name.replace(/\.e2e\.ts$/, '.e2e-spec.ts'));
    writeFileSync(to, commonJs ? text.replaceAll(/(from '\.[^']*)\.js'/g, "$1'") : text);
  }
  cpSync(fileURLToPath(new URL('story.mjs', import.meta.url)), join(folder, 'story.mjs'));
}

/** Docs: Testing with it. Both configurations of the template get the same block. */
function addJestBlock(folder) {
  editJson(join(folder, 'package.json'), ({ jest, ...others }) => ({ ...others, jest: { ...jest, ...jestBlock() } }));
  editJson(join(folder, 'test/jest-e2e.json'), (jest) => ({ ...jest, ...jestBlock() }));
}

/** Docs: better-sqlite3 13 needs an override for TypeORM's peer dependency. */
function addSqlite13(folder) {
  editJson(join(folder, 'package.json'), (manifest) => ({
    ...manifest,
    dependencies: { ...manifest.dependencies, 'better-sqlite3': '^13.2.0' },
    overrides: { typeorm: { 'better-sqlite3': '$better-sqlite3' } },
  }));
}

/** The CLI 11 fixes an older webpack, and webpack of this version broke the boot of a bundle. */
function useNewWebpack(folder) {
  editJson(join(folder, 'package.json'), (manifest) => ({
    ...manifest,
    overrides: { '@nestjs/cli': { webpack: '^5.113.0' } },
  }));
}

/** Nest's docs: Fastify instead of Express, also in the tests. */
function useFastify(folder) {
  const adapter = "import { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';\n";
  edit(
    join(folder, 'src/main.ts'),
    (text) =>
      adapter +
      text.replace(
        'NestFactory.create(AppModule)',
        'NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter())',
      ),
  );
  for (const file of readdirSync(join(folder, 'test')).filter((name) => name.endsWith('.e2e-spec.ts'))) {
    edit(
      join(folder, 'test', file),
      (text) =>
        adapter +
        text
          .replace('createNestApplication()', 'createNestApplication<NestFastifyApplication>(new FastifyAdapter())')
          .replace('await app.init();', 'await app.init();\n    await app.getHttpAdapter().getInstance().ready();'),
    );
  }
  editJson(join(folder, 'package.json'), (manifest) => {
    delete manifest.dependencies['@nestjs/platform-express'];
    return manifest;
  });
}

/** Hard links, because a copy of 300 MB takes long. npm writes package-lock.json and .package-lock.json in place. */
async function copyInstalled(version, folder) {
  execFileSync('cp', ['-RPl', await installed(version), folder]);
  for (const name of ['package.json', 'package-lock.json', 'node_modules/.package-lock.json']) {
    const text = readFileSync(join(folder, name));
    rmSync(join(folder, name));
    writeFileSync(join(folder, name), text);
  }
  for (const name of ['src', 'test', 'nest-cli.json']) {
    rmSync(join(folder, name), { recursive: true });
    cpSync(join(await generated(version), name), join(folder, name), { recursive: true });
  }
}

/** The oldest TypeScript that docs/versioning.md allows, and the last one that it excludes. */
const OLDEST_TYPESCRIPT = '5.8.2';
const TOO_OLD_TYPESCRIPT = '5.7.3';

/** Type-checks `consumer` of the package's test as a CommonJS and an ES module. @returns the faults */
async function typeCheck(folder, version) {
  const consumer = fileURLToPath(new URL('../package/consumer/consumer.mts', import.meta.url));
  const files = ['mts', 'cts'].map((extension) => `consumer.${extension}`);
  for (const file of files) cpSync(consumer, join(folder, file));
  const program = await programOf(`typescript@${version}`);
  const options = '--module nodenext --target es2023 --strict --experimentalDecorators --skipLibCheck --noEmit';
  const { env } = await nodeOf('22');
  return inTurn(() =>
    faultsOfCommand(`${join(program, 'tsc')} ${options} --types node ${files.join(' ')}`, { cwd: folder, env }),
  );
}

async function faultsWithTooOldTypeScript(folder) {
  const faults = await typeCheck(folder, TOO_OLD_TYPESCRIPT);
  const lines = faults
    .join('\n')
    .split('\n')
    .filter((line) => line.includes('error TS'));
  const expected = lines.length > 0 && lines.every((line) => /^consumer\.cts.*error TS1479/.test(line));
  return expected ? [] : ['expected TS1479 in consumer.cts alone', ...faults];
}

/** The template's test and the test of the shared files. A test runner may write in colour also into a pipe. */
const bothTests = (stdout, stderr) =>
  /^ *Tests:? +2 passed/m.test(stripVTControlCharacters(stdout + stderr)) ? [] : [stdout, stderr];

/** Installs the packed library and more packages, then builds, tests and plays the story of the sign-in and logouts. */
const stockSteps = (...packages) => [
  ['npm install --no-audit --no-fund', tarball, 'typeorm class-validator', ...packages].join(' '),
  'npm run build',
  'npm test',
  { command: 'npm run test:e2e', faultsOf: bothTests },
  'node story.mjs . dist/main.js',
];

/** better-sqlite3 12 as `npm ci` of this repository has compiled it on Node 20; without it, npm compiles for minutes. */
function compiledSqlite() {
  const folder = join(root, 'node_modules/.sqlite-for-node-20/node_modules/better-sqlite3');
  return ownVersion === '20' ? join(folder, 'build') : undefined;
}

/**
 * `make` prepares the project's folder, and returns the checks: a command, also with `faultsOf` for its output; a `name`
 * with a `body` that returns faults; or a function that prepares the next check and prints no line.
 */
const projects = [
  {
    id: '1',
    name: 'CLI 11, CommonJS, npm, ts-jest, TypeORM 0.3',
    node: '20',
    async make(folder) {
      await copyInstalled('11', folder);
      addApp(folder, { commonJs: true });
      addJestBlock(folder);
      const { version } = readJson(join(root, 'test/node/sqlite-for-node-20/package-lock.json')).packages[
        'node_modules/better-sqlite3'
      ];
      const build = compiledSqlite();
      return [
        `npm install --no-audit --no-fund ${tarball} typeorm@0.3 class-validator better-sqlite3@${version}${build ? ' --ignore-scripts' : ''}`,
        () => build && cpSync(build, join(folder, 'node_modules/better-sqlite3/build'), { recursive: true }),
        'npm run build',
        'npm test',
        { command: 'npm run test:e2e', faultsOf: bothTests },
        'node story.mjs . dist/main.js',
      ];
    },
  },
  {
    id: '2',
    name: 'CLI 11, CommonJS, pnpm, ts-jest, TypeORM 1',
    node: '22',
    program: 'pnpm@10',
    async make(folder) {
      cpSync(await generated('11'), folder, { recursive: true });
      addApp(folder, { commonJs: true });
      addJestBlock(folder);
      // Docs: pnpm installs better-sqlite3 13, and this setting removes its warning
      const yaml = "peerDependencyRules:\n  allowedVersions:\n    'typeorm>better-sqlite3': '13'\n";
      writeFileSync(join(folder, 'pnpm-workspace.yaml'), yaml);
      return [
        `pnpm add ${tarball} typeorm@1 class-validator better-sqlite3@13`,
        'pnpm run build',
        'pnpm test',
        { command: 'pnpm run test:e2e', faultsOf: bothTests },
        'node story.mjs . dist/main.js',
        {
          name: `A6: TypeScript ${OLDEST_TYPESCRIPT} type-checks an app`,
          body: () => typeCheck(folder, OLDEST_TYPESCRIPT),
        },
        {
          name: `A6: TypeScript ${TOO_OLD_TYPESCRIPT} refuses a CommonJS app`,
          body: () => faultsWithTooOldTypeScript(folder),
        },
      ];
    },
  },
  {
    id: '3',
    name: 'CLI 12, ESM, vitest',
    node: '26',
    async make(folder) {
      await copyInstalled('12', folder);
      addApp(folder, { commonJs: false });
      addSqlite13(folder);
      return stockSteps();
    },
  },
  {
    id: '4',
    name: 'CLI 12, ESM, Fastify',
    node: '24',
    async make(folder) {
      await copyInstalled('12', folder);
      addApp(folder, { commonJs: false });
      useFastify(folder);
      addSqlite13(folder);
      return stockSteps('@nestjs/platform-fastify');
    },
  },
  {
    id: '5',
    name: 'CLI 11, one bundle without node_modules, PostgreSQL',
    node: '24',
    async make(folder) {
      await copyInstalled('11', folder);
      addApp(folder, { commonJs: true, database: 'database.bundled.ts' });
      addJestBlock(folder);
      useNewWebpack(folder);
      cpSync(fileURLToPath(new URL('webpack.config.cjs', import.meta.url)), join(folder, 'webpack.config.js'));
      // outside the project, where Node finds no package, also none of the optional ones
      const bundles = join(temporary, 'bundles');
      return [
        `npm install --no-audit --no-fund ${tarball} typeorm class-validator pg`,
        'npm install --no-audit --no-fund --save-dev esbuild',
        'npx nest build --webpack',
        'npm test',
        { command: 'npm run test:e2e', faultsOf: bothTests },
        () => cpSync(join(folder, 'dist'), bundles, { recursive: true }),
        `node story.mjs ${bundles} main.js`,
        'npx nest build',
        esbuildCommand(),
        () => cpSync(join(folder, 'bundle'), bundles, { recursive: true }),
        `node story.mjs ${bundles} main.cjs`,
      ];
    },
    postgres: true,
  },
  {
    id: '6',
    name: 'CLI 12, SWC, only production dependencies',
    node: '22',
    async make(folder) {
      await copyInstalled('12', folder);
      addApp(folder, { commonJs: false });
      addSqlite13(folder);
      return [
        `npm install --no-audit --no-fund ${tarball} typeorm class-validator`,
        'npm install --no-audit --no-fund --save-dev @swc/cli @swc/core',
        'npx nest build --builder swc',
        'npm test',
        { command: 'npm run test:e2e', faultsOf: bothTests },
        'npm prune --omit=dev --no-audit --no-fund',
        'node story.mjs . dist/main.js',
      ];
    },
  },
];

async function checkProject({ id, name, node: version, program, make, postgres }) {
  const node = await nodeOf(version);
  const folder = join(temporary, `project-${id}`);
  const title = `${id} ${name} (${node.name})`;
  let env = program === undefined ? node.env : withProgram(node.env, await programOf(program));
  if (postgres) env = { ...env, DATABASE_URL: (await postgresServer()).url };
  let steps = [];
  if (!(await check(`${title}: nest new`, async () => void (steps = await make(folder))))) return;
  for (const step of steps) {
    if (typeof step === 'function') step();
    else if (!(await checkStep(title, step, { cwd: folder, env }))) return;
  }
}

function checkStep(title, step, options) {
  if (step.body !== undefined) return check(`${title}: ${step.name}`, step.body);
  const { command, faultsOf } = typeof step === 'string' ? { command: step } : step;
  const shown = command.replaceAll(`${temporary}/`, '').replaceAll(' --no-audit --no-fund', '');
  return check(`${title}: ${shown}`, () => inTurn(() => faultsOfCommand(command, { ...options, faultsOf })));
}

let server;
const postgresServer = () => (server ??= TestPostgres.start());

const asked = process.argv.slice(2);
try {
  const unknown = asked.filter((id) => !projects.some((project) => project.id === id));
  if (unknown.length > 0)
    throw new Error(`There is no project ${unknown.join()}. Give numbers from 1 to ${projects.length}.`);
  const wanted = projects.filter(({ id }) => asked.length === 0 || asked.includes(id));
  await Promise.all(wanted.map(checkProject));
} finally {
  await (await server)?.stop();
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`${failures()} failed, in ${((performance.now() - started) / 1000).toFixed(0)} s`);
process.exitCode = failures() === 0 ? 0 : 1;
