import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './support/documents.js';

const page = readFileSync(join(root, 'SECURITY.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

/** A check that a promise names: a test of a file, or a command. */
interface NamedCheck {
  readonly name: string;
  readonly exists: boolean;
}

/** The guarantees of a page: the items of the lists of this section. */
function guaranteesOf(text: string): string[] {
  const section = text.split(/^## (?:Guarantees|Out of scope)$/m)[1] ?? '';
  return section.split(/^- /m).flatMap((item, n) => (n === 0 ? [] : [item.split(/\n\n/)[0] ?? '']));
}

/**
 * The tests that a guarantee names by "quotation" or `id`, in the next file that it links; a linked file with no test
 * before it counts as a whole. And the commands that it names.
 */
function checksOf(guarantee: string): NamedCheck[] {
  const checks: NamedCheck[] = [];
  let named: string[] = [];
  for (const [, quoted, id, file, command] of guarantee.matchAll(
    /"([^"]{20,})"|`((?:(?:BC|FC|RPI)-|P|S)\d+)`|\]\(([^)]+spec\.ts)\)|`npm run ([\w:]+)/g,
  )) {
    const test = (quoted ?? id)?.replace(/\s+/g, ' ');
    if (test !== undefined) named.push(test);
    if (command !== undefined) checks.push({ name: `npm run ${command}`, exists: command in scripts });
    if (file === undefined) continue;
    const source = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : undefined;
    if (named.length === 0) checks.push({ name: file, exists: source !== undefined });
    checks.push(...named.map((one) => ({ name: `${file}: ${one}`, exists: source?.includes(one) === true })));
    named = [];
  }
  return [...checks, ...named.map((name) => ({ name: `${name} of no file`, exists: false }))];
}

describe('the guarantees of SECURITY.md', () => {
  const guarantees = guaranteesOf(page);

  it('name a check for each of them', () => {
    expect(guarantees.length).toBeGreaterThan(20);
    expect(guarantees.filter((guarantee) => checksOf(guarantee).length === 0)).toEqual([]);
  });

  it('name checks that exist', () => {
    const checks = guarantees.flatMap(checksOf);
    expect(checks.length).toBeGreaterThan(30);
    expect(checks.filter(({ exists }) => !exists)).toEqual([]);
  });

  it('control: a guarantee without a check, and a check that does not exist, are found', () => {
    const text =
      '## Guarantees\n\n**It works**\n\n- A: trust us.\n- B: "a test that is not there" in [x](test/asvs.e2e-spec.ts)';
    const [without, wrong] = guaranteesOf(text);
    expect(checksOf(without ?? '')).toEqual([]);
    expect(checksOf(wrong ?? '')).toEqual([{ name: 'test/asvs.e2e-spec.ts: a test that is not there', exists: false }]);
    expect(checksOf('C: `npm run nothing`.')).toEqual([{ name: 'npm run nothing', exists: false }]);
  });
});
