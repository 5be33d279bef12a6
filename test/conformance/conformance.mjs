import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rows } from './rows.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const document = join(root, 'docs/conformance.md');

/** A string that begins with ids, as test names do: 'BC-6: …', 'FC-1, FC-2: …', 'rp-init-logout: …', or one alone. */
const NAME = /(['"`])((?:(?:(?:BC|FC|RPI)-\d+|rp-[a-z-]+)(?:, | and )?)+)(?:: (.*?))?\1/g;

async function specs(folder) {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /spec\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(`${sep}dist${sep}`))
    .sort();
}

async function testsById() {
  const found = new Map();
  for (const path of [...(await specs('test')), ...(await specs('libs'))]) {
    const source = await readFile(path, 'utf8');
    for (const [, , ids, name] of source.matchAll(NAME)) {
      const test = { name: name ?? ids, file: relative(root, path).replaceAll(sep, '/') };
      for (const id of ids.split(/, | and /)) found.set(id, [...(found.get(id) ?? []), test]);
    }
  }
  return found;
}

/** Rows without a test, and the document as it should be. */
export async function conformance() {
  const tests = await testsById();
  const missing = [];
  const lines = ['# Conformance', '', 'Generated from the names of the tests by `npm run conformance`.'];
  for (const section of rows) {
    lines.push('', `## ${section.title}`);
    for (const [id, rule] of Object.entries(section.rows)) {
      const proofs = tests.get(id) ?? [];
      if (proofs.length === 0) missing.push(id);
      lines.push('', `### ${id}`, '', rule, '');
      lines.push(...proofs.map(({ name, file }) => `- ${name} ([${file.split('/').at(-1)}](../${file}))`));
    }
  }
  return { missing, text: `${lines.join('\n')}\n`, written: await readFile(document, 'utf8').catch(() => '') };
}

/** The tests that SECURITY.md names, by "quotation" or `id`, and whether the file linked next has them. */
export async function securityClaims() {
  const guarantees =
    (await readFile(join(root, 'SECURITY.md'), 'utf8')).split(/^## (?:Guarantees|Out of scope)$/m)[1] ?? '';
  const claims = [];
  let named = [];
  for (const [, quoted, id, file] of guarantees.matchAll(/"([^"]{20,})"|`((?:BC|FC|RPI)-\d+)`|\]\(([^)]+\.ts)\)/g)) {
    if (file === undefined) {
      named.push((quoted ?? id).replace(/\s+/g, ' '));
      continue;
    }
    const source = await readFile(join(root, file), 'utf8').catch(() => '');
    for (const test of named) claims.push({ test, file, found: source.includes(test) });
    named = [];
  }
  return claims;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { missing, text } = await conformance();
  await writeFile(document, text);
  if (missing.length > 0) {
    console.error(`No test for ${missing.join(', ')}`);
    process.exitCode = 1;
  }
}
