import { writeFile } from 'node:fs/promises';
import { survivors } from './survivors.mjs';

const KILLED = new Set(['Killed', 'Timeout']);
const ALIVE = new Set(['Survived', 'NoCoverage']);
const LEAST_SHARE = 0.97;

/**
 * Counts the mutants, and looks up the reason of each that survived.
 *
 * @param {object} files Stryker's report: for each file its source and its mutants
 * @param {boolean} isWhole whether these are all files: then each reason must have its survivor, and enough mutants must be
 *   killed
 * @returns {{ table: string[], alive: object[], passes: boolean }} `passes` is false also when a reason is missing
 */
export function judge(files, isWhole) {
  const table = [];
  const alive = [];
  const all = { killed: 0, counted: 0 };
  for (const [file, { source, mutants }] of Object.entries(files).sort()) {
    const counted = mutants.filter(({ status }) => KILLED.has(status) || ALIVE.has(status));
    const killed = counted.filter(({ status }) => KILLED.has(status)).length;
    all.killed += killed;
    all.counted += counted.length;
    table.push(`| ${file.replace('libs/oneid-logout/src/', '')} | ${share(killed, counted.length)} |`);
    const survived = counted.filter(({ status }) => ALIVE.has(status));
    alive.push(...survived.map((mutant) => explain(file, source.split('\n'), mutant)));
  }
  const unexplained = alive.filter(({ reason }) => reason === undefined);
  for (const { file, row, mutatorName, line, replacement } of unexplained) {
    console.error(`No reason given: ${file}:${row} ${mutatorName}: ${line} -> ${replacement}`);
  }
  const used = new Set(alive.map(({ known }) => known));
  const unused = isWhole ? survivors.filter((one) => !used.has(one)) : [];
  for (const { file, line } of unused) console.error(`No mutant survives there: remove the reason. ${file}: ${line}`);
  const expected = isWhole ? `, at least ${100 * LEAST_SHARE} % are expected` : '';
  console.log(`${all.killed} of ${all.counted} mutants killed${expected}`);
  table.push(`| **all** | ${share(all.killed, all.counted)} |`);
  const areExplained = unexplained.length + unused.length === 0;
  const areEnough = !isWhole || all.killed / all.counted >= LEAST_SHARE;
  return { table, alive, passes: areExplained && areEnough };
}

function share(killed, counted) {
  return `${killed} of ${counted} | ${((100 * killed) / counted).toFixed(1)} %`;
}

function explain(file, lines, { location, mutatorName, replacement }) {
  const row = location.start.line;
  const line = (lines[row - 1] ?? '').trim();
  const known = survivors.find(
    (one) => file.endsWith(one.file) && line.includes(one.line) && one.mutators.includes(mutatorName),
  );
  return { file, row, line, mutatorName, replacement, known, reason: known?.reason };
}

/** Writes docs/mutation.md. */
export async function writePage({ table, alive }) {
  const groups = new Map();
  for (const mutant of alive) {
    const key = [mutant.file, mutant.line, mutant.mutatorName, mutant.reason].join('\0');
    groups.set(key, [...(groups.get(key) ?? []), mutant]);
  }
  const text = [
    '# Mutation testing',
    '',
    'This page shows how many faults the unit tests find. It is for developers who change the library. `npm run mutate`',
    'writes it.',
    '',
    'A mutant is the code with one change. A mutant is killed when a test fails on it. Only the suites that are written',
    'for a file count for it.',
    '',
    '| file | killed | |',
    '| --- | --- | --- |',
    ...table,
    '',
    '## Mutants that survive, and why',
    '',
    ...[...groups.values()].map(([{ file, line, mutatorName, reason = '**none given**' }, ...more]) => {
      const times = more.length === 0 ? '' : `, ${more.length + 1} of them`;
      return `- \`${file.split('/').at(-1)}\`: \`${line}\` (${mutatorName}${times}): ${reason}`;
    }),
    '',
  ].join('\n');
  await writeFile('docs/mutation.md', text);
}
