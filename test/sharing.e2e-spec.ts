import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const BEFORE_ALL = /^( *)beforeAll\([^]*?^\1\}\);$/gm;
const STARTS_A_HOST = /\b(?:Host|World|Recipe)\.start\(|\bstartHost\(/;

/** Does this spec start one host for all of its tests, without settling it between them? */
const sharesUnsettled = (source: string) => [...source.matchAll(BEFORE_ALL)].some(([hook]) => STARTS_A_HOST.test(hook));

describe('suites that share a host', () => {
  it('settle the host between two tests', () => {
    const specs = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.e2e-spec.ts'),
    );
    expect(specs.length).toBeGreaterThan(40);
    const sourceOf = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8');
    expect(specs.filter((file) => sharesUnsettled(sourceOf(file)))).toEqual([]);
  });

  it('control: the check finds a suite that does not settle its host', () => {
    const within = (body: string) => `describe('suite', () => {\n  beforeAll(async () => {\n    ${body}\n  });\n});\n`;
    expect(
      ['host = await Host.start();', 'host = await startHost({});', 'other();'].map(within).map(sharesUnsettled),
    ).toEqual([true, true, false]);
  });
});
