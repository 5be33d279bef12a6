import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocksOf } from '../support/code-blocks.js';

const root = join(import.meta.dirname, '../..');
const page = 'docs/testing.md';
const shown = codeBlocksOf(page, readFileSync(join(root, page), 'utf8'));

describe('A10: docs/testing.md', () => {
  it.each(shown.map(({ file = '', code }) => [file, code]))('shows %s as it is', (file, code) => {
    expect(code).toBe(readFileSync(join(root, file), 'utf8'));
  });

  it('shows every file of this folder', () => {
    const files = readdirSync(import.meta.dirname).filter((name) => name !== 'document.e2e-spec.ts');
    expect(shown.map(({ file }) => file).sort()).toEqual(files.map((name) => `test/testing-guide/${name}`).sort());
  });
});
