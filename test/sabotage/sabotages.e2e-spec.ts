import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { rows } from '../conformance/rows.mjs';
import { root } from '../support/documents.js';
import { applyPatch } from '../support/patch.mjs';
import { type Sabotage, titleOf } from './sabotage.js';
import { sabotages } from './sabotages.js';
import { namesOf } from './test-names.js';
import { faultWith, faultWithout, type JestReport } from './verdict.js';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The sources of the tests are large, and many sabotages name one file. */
const namesIn = new Map<string, readonly RegExp[]>();
function hasTest({ file, name }: Sabotage['test']): boolean {
  const names = namesIn.get(file) ?? namesOf(read(file));
  namesIn.set(file, names);
  return names.some((pattern) => pattern.test(name));
}

function syntaxErrors(source: string): string[] {
  const { diagnostics = [] } = ts.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: { experimentalDecorators: true },
  });
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

describe('the sabotages', () => {
  it.each(sabotages.map((sabotage) => [titleOf(sabotage), sabotage] as const))('%s', (_title, sabotage) => {
    expect(syntaxErrors(applyPatch(sabotage, read(sabotage.file)))).toEqual([]);
    expect([sabotage.test.name, hasTest(sabotage.test)]).toEqual([sabotage.test.name, true]);
  });

  it('break each rule of the specifications', () => {
    const rules = rows.flatMap((section) => Object.keys(section.rows)).filter((id) => /^(BC|FC|RPI)-\d+$/.test(id));
    expect(rules.length).toBeGreaterThan(25);
    expect(rules.filter((id) => !sabotages.some(({ promise }) => promise === id))).toEqual([]);
  });

  it('differ from each other', () => {
    expect(new Set(sabotages.map(titleOf)).size).toBe(sabotages.length);
  });
});

describe('a patch', () => {
  const patch = { file: 'a.ts', search: 'a < b', replace: "a > b ? '$&' : '$1'" };

  it('replaces the search text', () => {
    expect(applyPatch(patch, 'if (a < b) return;')).toBe("if (a > b ? '$&' : '$1') return;");
  });

  it.each([
    ['has moved', 'if (a <= b) return;', 'a.ts must hold the search text once, and holds it 0 times:\na < b'],
    ['is there twice', 'a < b; a < b;', 'a.ts must hold the search text once, and holds it 2 times:\na < b'],
  ])('fails when the code %s', (_what, source, message) => {
    expect(() => applyPatch(patch, source)).toThrow(new Error(message));
  });

  it('fails when it changes nothing', () => {
    expect(() => applyPatch({ ...patch, replace: patch.search }, 'a < b')).toThrow('The patch of a.ts changes nothing');
  });
});

describe('the names of tests in a source', () => {
  const source = `
    describe.each(kinds)('on $name', () => {
      describe('inside (twice)', () => {
        it('is plain', run);
        it.each([1, 2])(
          'takes %d of them', run);
        it.each(cases)(\`has \${MOST} words: %s\`, run);
      });
    });
    test(name, run);`;
  const has = (name: string) => namesOf(source).some((pattern) => pattern.test(name));

  it('are found with their values', () => {
    const names = ['is plain', 'takes 7 of them', 'has 9 words: a b'].map((name) => `on SQLite inside (twice) ${name}`);
    expect(names.filter((name) => !has(name))).toEqual([]);
  });

  it('control: no other name is found', () => {
    const source = `describe('a', () => { it('b', run); });`;
    expect(['b', 'a', 'a b c', 'a  b'].filter((name) => namesOf(source).some((one) => one.test(name)))).toEqual([]);
  });
});

describe('the verdict on a run', () => {
  const test = { file: 'test/a.e2e-spec.ts', name: 'a works' };
  type Result = JestReport['testResults'][number]['assertionResults'][number];
  const result = (status: string, ...failureDetails: unknown[]): Result => ({
    ...{ fullName: test.name, status, failureDetails },
    failureMessages: failureDetails.map(() => 'Error: expected 1\n    at somewhere'),
  });
  const reportOf = (assertionResults: Result[], message = '', name = `/home/x/${test.file}`): JestReport => ({
    testResults: [{ name, message, assertionResults }],
  });
  const byVerdict = reportOf([result('failed', { isVerdict: true })]);

  it('the test has found the fault if it fails because of what the code does', () => {
    expect(faultWith(byVerdict, test)).toBeUndefined();
    expect(faultWithout(byVerdict, test)).toBe(
      'the named test fails without the sabotage: Error: expected 1 / at somewhere',
    );
  });

  it('a test that passes has not found it', () => {
    expect(faultWith(reportOf([result('passed')]), test)).toBe('the named test passes all the same');
    expect(faultWithout(reportOf([result('passed')]), test)).toBeUndefined();
  });

  it('another failure does not count', () => {
    expect(faultWith(reportOf([result('failed', {})]), test)).toBe(
      'the named test fails, but not because of what the code does: Error: expected 1 / at somewhere',
    );
  });

  it.each([
    ['has another name', reportOf([{ ...result('failed', { isVerdict: true }), fullName: 'a works well' }])],
    ['is in another file', reportOf([result('failed', { isVerdict: true })], '', '/home/x/test/b.e2e-spec.ts')],
    ['is skipped', reportOf([result('pending')])],
  ])('a test that %s does not count', (_what, report) => {
    for (const fault of [faultWith(report, test), faultWithout(report, test)]) {
      expect(fault).toBe('no test with this name has run');
    }
  });

  it('a file that cannot be loaded does not count', () => {
    const report = reportOf([], '\u001b[1m● Test suite failed to run\u001b[22m\n\n  Unexpected token');
    for (const fault of [faultWith(report, test), faultWithout(report, test)]) {
      expect(fault).toBe('the named test did not run: ● Test suite failed to run / Unexpected token');
    }
  });
});
