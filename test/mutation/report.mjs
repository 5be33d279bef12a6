// Run it after `stryker run`. It writes docs/mutation.md, with a reason for each surviving mutant. It fails when a
// reason is missing.
import { readFile, writeFile } from 'node:fs/promises';
import { survivors } from './survivors.mjs';

const KILLED = new Set(['Killed', 'Timeout']);
const ALIVE = new Set(['Survived', 'NoCoverage']);

const { files } = JSON.parse(await readFile('reports/mutation.json', 'utf8'));
const table = [];
const alive = [];
let unexplained = 0;
let allKilled = 0;
let allCounted = 0;

for (const [file, { source, mutants }] of Object.entries(files).sort()) {
  const lines = source.split('\n');
  const counted = mutants.filter(({ status }) => KILLED.has(status) || ALIVE.has(status));
  const killed = counted.filter(({ status }) => KILLED.has(status)).length;
  allKilled += killed;
  allCounted += counted.length;
  table.push(
    `| ${file.replace('libs/oneid-logout/src/', '')} | ${killed} of ${counted.length} | ${percent(killed, counted.length)} |`,
  );
  for (const { status, location, replacement, mutatorName } of counted) {
    if (!ALIVE.has(status)) continue;
    const line = (lines[location.start.line - 1] ?? '').trim();
    const reason = survivors.find(
      (known) => file.endsWith(known.file) && line.includes(known.line) && known.mutators.includes(mutatorName),
    )?.reason;
    if (reason === undefined) {
      unexplained += 1;
      console.error(`No reason given: ${file}:${location.start.line} ${mutatorName}: ${line} -> ${replacement}`);
    }
    alive.push({ file, line, mutatorName, reason: reason ?? '**none given**' });
  }
}

function percent(part, whole) {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

const byReason = group(alive);
function keyOf({ file, line, mutatorName, reason }) {
  return [file, line, mutatorName, reason].join('\0');
}
function group(items) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

const text = [
  '# Mutation testing',
  '',
  'This page shows how many faults the unit tests find. It is for developers who change the library. `npm run mutate` writes it.',
  '',
  'A mutant is the code with one change. A mutant is killed when a unit test fails on it.',
  '',
  '| file | killed | |',
  '| --- | --- | --- |',
  ...table,
  `| **all** | **${allKilled} of ${allCounted}** | **${percent(allKilled, allCounted)}** |`,
  '',
  '## Mutants that survive, and why',
  '',
  ...[...byReason.values()].map(([{ file, line, mutatorName, reason }, ...more]) => {
    const times = more.length === 0 ? '' : `, ${more.length + 1} of them`;
    return `- \`${file.split('/').at(-1)}\`: \`${line}\` (${mutatorName}${times}): ${reason}`;
  }),
  '',
].join('\n');
await writeFile('docs/mutation.md', text);
console.log(`${allKilled} of ${allCounted} mutants killed (${percent(allKilled, allCounted)})`);
process.exitCode = unexplained === 0 && allKilled / allCounted >= 0.9 ? 0 : 1;
