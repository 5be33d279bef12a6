import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lineOf, modules } from './modules.mjs';
import { rows } from './rows.mjs';
import { situations } from './situations.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const document = join(root, 'docs/conformance.md');

/** A test's name that starts with ids ('BC-6: …', 'FC-1, FC-2: …'), or that is only an id. */
const NAME = /(['"`])((?:(?:(?:BC|FC|RPI)-\d+|P\d+)(?:, | and )?)+)(?:: (.*?))?\1/g;

/** The ids at the beginning of a test's name. */
const IDS = /^(?:(?:(?:BC|FC|RPI)-\d+|P\d+)(?:, | and )?)+: /;

/** A call's first argument that names a situation: a test's name with 'P13' anywhere. */
const SITUATION = /\(\s*(['"`])((?:(?!\1).)*?\bP\d+\b(?:(?!\1).)*)\1,/g;

/** The placeholders in a title: `%s`, `%j`, `$name`, `$name.of` and `$#` of Jest's `each`, and `${…}` of a template. */
const PLACEHOLDER = /%[a-z#$]|\$\{[^}]*\}|\$(?:#|[a-z]\w*(?:\.\w+)*)/gi;

/** A test's title for the document, with "…" in place of each placeholder. */
export function readable(title) {
  return title.replace(PLACEHOLDER, '…').replaceAll('%%', '%').replaceAll('… …', '…');
}

/** The lines with a placeholder of a test's title: a percent sign before a letter, or a dollar sign. */
export function rawPlaceholders(text) {
  return text.split('\n').filter((line) => /%[a-z#$]|\$/i.test(line));
}

async function specs(folder) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /spec\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(`${sep}dist${sep}`))
    .sort();
}

const INTRODUCTION = [
  'This page lists the rules of the logout specifications, and the tests that check each rule. It is for readers who want to',
  'know whether the library obeys a rule. `npm run docs:conformance` writes it from the names of the tests.',
  '',
  'Some tests run several times with different values. An ellipsis (…) in the name of a test stands for these values.',
];

const MODULES = [
  '`npm run conformance` plays each logout module of the OpenID Foundation suite over HTTP against the reference app, which',
  'runs in a process of its own. It fails if a module shows anything else than this page says.',
  '',
  'Three browsers are signed in as the same user, and each has a login and a session of its own. Browser 1 is the browser',
  "of the module: it logs out. The module's logout token or iframe names the login of browser 2. So the end of session 2",
  'shows what the channel did. Session 3 must stay alive.',
  '',
  'The tokens, the body and the iframe are those of the suite: the token has no `typ`, and an unknown claim; the body has',
  'an unknown parameter; the iframe has `iss` and `sid` only if the client is registered with',
  '`frontchannel_logout_session_required`, so each front-channel module is played in both ways. The browsers are cookie',
  'jars, because no module looks at a rendered page; `npm run test:browser` shows the iframe in Chromium.',
  '',
  'The library was also run against the real suite (12f2a4da): all 8 back-channel modules and all 3 RP-initiated modules',
  'passed. The front-channel modules give REVIEW at best. The module for session management is not played, because OneID',
  'has no `check_session_iframe`.',
];

const SITUATIONS = [
  'Each situation was seen with a real provider, browser or host, or reported by a team that had it. The tests show what the',
  'library does then.',
];

/** By id: names and files of the tests whose names begin with the id, or have the id of a situation anywhere. */
async function testsById() {
  const found = new Map();
  // by name and file, because two titles of one file may be equal without their placeholders
  const add = (id, name, file) =>
    found.set(id, (found.get(id) ?? new Map()).set(`${name} ${file}`, { name: readable(name), file }));
  for (const path of [...(await specs('test')), ...(await specs('libs')), ...(await specs('src'))]) {
    const source = await readFile(path, 'utf8');
    const file = relative(root, path).replaceAll(sep, '/');
    for (const [, , ids, name = ids] of source.matchAll(NAME)) {
      for (const id of ids.split(/, | and /)) add(id, name, file);
    }
    for (const [, , title] of source.matchAll(SITUATION)) {
      for (const [id] of title.matchAll(/\bP\d+\b/g)) add(id, title.replace(IDS, ''), file);
    }
  }
  return new Map([...found].map(([id, tests]) => [id, [...tests.values()]]));
}

/** Whether a test is about the library, and not only about the OneID for tests. */
const isOfLibrary = ({ file }) => !file.startsWith('libs/oneid-logout/src/testing/');

function proof({ name, file }) {
  return `${name} ([${file.split('/').at(-1)}](../${file}))`;
}

/** The table of situations: one row each, with all its tests. */
function situationTable(tests) {
  const cell = (text) => text.replaceAll('|', '\\|');
  const rowOf = ([id, text]) =>
    `| ${id} | ${cell(text)} | ${(tests.get(id) ?? []).map(proof).map(cell).join('<br>')} |`;
  return ['| id | situation | tests |', '| --- | --- | --- |', ...Object.entries(situations).map(rowOf)];
}

/** The rows and situations without a test, the document's text from the names of the tests, and the document in the repository. */
export async function conformance() {
  const tests = await testsById();
  const missing = [];
  const lines = ['# Conformance', '', ...INTRODUCTION];
  for (const section of rows) {
    lines.push('', `## ${section.title}`);
    for (const [id, rule] of Object.entries(section.rows)) {
      const proofs = tests.get(id) ?? [];
      if (proofs.length === 0) missing.push(id);
      lines.push('', `### ${id}`, '', rule, '');
      lines.push(...proofs.map((test) => `- ${proof(test)}`));
    }
  }
  lines.push('', '## Modules of the OpenID Foundation conformance suite', '', ...MODULES, '');
  lines.push(...Object.keys(modules).map((name) => lineOf(name, modules[name])));
  lines.push('', '## Providers, browsers and hosts as they are', '', ...SITUATIONS, '', ...situationTable(tests));
  missing.push(...Object.keys(situations).filter((id) => !tests.get(id)?.some(isOfLibrary)));
  return { missing, text: `${lines.join('\n')}\n`, written: await readFile(document, 'utf8').catch(() => '') };
}

// npm run docs:conformance
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { missing, text } = await conformance();
  await writeFile(document, text);
  const raw = rawPlaceholders(text);
  if (raw.length > 0) {
    console.error(`Raw placeholders of test titles:\n${raw.join('\n')}`);
    process.exitCode = 1;
  }
  if (missing.length > 0) {
    console.error(`No test for ${missing.join(', ')}`);
    process.exitCode = 1;
  }
}
