import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './support/documents.js';

const page = readFileSync(join(root, 'docs/asvs.md'), 'utf8');
const house = 'libs/oneid-logout/src';

/** The source of all suites, except this one. */
const suites = ['test', house]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => name.endsWith('spec.ts') && !name.endsWith('asvs.e2e-spec.ts'))
  .map((name) => readFileSync(join(root, name), 'utf8'))
  .join('\n');

const hasTest = (name: string): boolean => ["'", '"', '`'].some((quote) => suites.includes(`${quote}${name}${quote}`));

describe('docs/asvs.md', () => {
  it('has each requirement of chapter 7 and of 10.5, in order', () => {
    const numbers = [...page.matchAll(/^- \*\*([\d.]+)(?: and ([\d.]+))?,/gm)].flatMap(([, ...found]) =>
      found.filter(Boolean),
    );
    expect(numbers).toEqual([
      ...['7.1.1', '7.1.2', '7.1.3', '7.2.1', '7.2.2', '7.2.3', '7.2.4', '7.3.1', '7.3.2'],
      ...['7.4.1', '7.4.2', '7.4.3', '7.4.4', '7.4.5', '7.5.1', '7.5.3', '7.5.2', '7.6.1', '7.6.2'],
      ...['10.5.1', '10.5.2', '10.5.3', '10.5.4', '10.5.5'],
    ]);
  });

  it('names a test for each requirement that it names code for', () => {
    const requirements = page.split(/^- \*\*/m).filter((text) => /^ {2}Code: /m.test(text));
    expect(requirements.length).toBeGreaterThan(15);
    expect(requirements.filter((text) => !/^ {2}Tests?: `/m.test(text))).toEqual([]);
  });

  it('names tests that exist', () => {
    const names = [...page.matchAll(/^ {2}Tests?: (.+)$/gm)].flatMap(([, line = '']) =>
      [...line.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    );
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !hasTest(name))).toEqual([]);
  });

  it('control: finds a test by its whole name only', () => {
    expect([hasTest('checks the nonce when the app gives one'), hasTest('checks the nonce when the app')]).toEqual([
      true,
      false,
    ]);
  });

  it('names files that exist', () => {
    const files = [...page.matchAll(/`((?:[a-z-]+\/)+[a-z.-]+\.ts)`/g)].map(([, name = '']) => name);
    expect(files.length).toBeGreaterThan(15);
    expect(files.filter((name) => !existsSync(join(root, house, name)))).toEqual([]);
  });
});
