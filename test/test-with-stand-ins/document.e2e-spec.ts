import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocksOf } from '../support/code-blocks.js';

const root = join(import.meta.dirname, '../..');
const blocksOf = (page: string) => codeBlocksOf(page, readFileSync(join(root, page), 'utf8'));

describe.each([
  { page: 'docs/test-with-stand-ins.md', folder: 'test/test-with-stand-ins' },
  { page: 'docs/test-your-app.md', folder: 'test/test-your-app' },
])('A10: $page', ({ page, folder }) => {
  const shown = blocksOf(page);

  it.each(shown.map(({ file = '', code }) => [file, code]))('shows %s as it is', (file, code) => {
    expect(code).toBe(readFileSync(join(root, file), 'utf8'));
  });

  it('shows every file of its folder', () => {
    const files = readdirSync(join(root, folder)).filter((name) => name !== 'document.e2e-spec.ts');
    expect(shown.map(({ file }) => file).sort()).toEqual(files.map((name) => `${folder}/${name}`).sort());
  });
});
