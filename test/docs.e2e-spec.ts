import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { linksOf, pages, root, withoutCode } from './support/documents.js';

const MOST_WORDS = 1200;
/** Lists that a command writes. They are as long as what they list. */
const lists = ['docs/conformance.md', 'docs/mutation.md'];

/** The number of words: they are separated by spaces, and have a letter or a digit. */
const countWords = (text: string): number => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;

/** Only a recipe may have as much code as it needs: its code is a whole app. */
const countedText = (page: string, text: string): string => (isRecipe(page) ? withoutCode(text) : text);

const isRecipe = (page: string): boolean => dirname(page) === 'docs/recipes';

/** The first words of a page must say what the page is for. */
const saysItsPurpose = (text: string): boolean => /^# .+\n\nThis page /.test(text);

/** The page that must link this page: the README of its folder, and the README of docs for a folder. */
function indexOf(page: string): string {
  const folder = basename(page) === 'README.md' ? dirname(dirname(page)) : dirname(page);
  return join(folder, 'README.md');
}

const read = (page: string): string => readFileSync(join(root, page), 'utf8');

function isLinked(page: string): boolean {
  const index = indexOf(page);
  return linksOf(join(root, index)).some((target) => join(dirname(index), target.replace(/#.*/, '')) === page);
}

describe('docs by task', () => {
  it.each(pages.filter((page) => !lists.includes(page)))(`a page has at most ${MOST_WORDS} words: %s`, (page) => {
    expect(countWords(countedText(page, read(page)))).toBeLessThanOrEqual(MOST_WORDS);
  });

  it('every page begins with what it is for', () => {
    expect(pages.filter((page) => !saysItsPurpose(read(page)))).toEqual([]);
  });

  it('docs/README.md leads to every page, or to the README of its folder', () => {
    expect(pages.filter((page) => page !== 'docs/README.md' && !isLinked(page))).toEqual([]);
  });

  it('README.md and README.vi.md lead to docs/README.md', () => {
    for (const readme of ['README.md', 'README.vi.md']) expect(linksOf(join(root, readme))).toContain('docs/README.md');
  });

  it('control: the checks find a page without purpose, a page without a link, and the words of a code block', () => {
    expect(saysItsPurpose('# Log out\n\nAn app logs a user out.\n')).toBe(false);
    expect(isLinked('docs/missing.md')).toBe(false);
    expect(isLinked('docs/sign-in.md')).toBe(true);
    const text = 'One *two*, `3` – |\n\n```ts\nfour();\n```\n';
    expect(countWords(countedText('docs/sign-in.md', text))).toBe(5);
    expect(countWords(countedText('docs/recipes/cookie.md', text))).toBe(3);
  });
});
