import { describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative } from 'node:path';
import { type Carriage, carriedPage } from './package/carried-page.js';
import { licencesPage } from './package/licences-page.js';
import { documents, root, withoutCode } from './support/documents.js';

const files = new Set([
  'README.md',
  'docs/liveness.md',
  'docs/images/cost.svg',
  'docs/providers/auth0.md',
  'dist/a/b.d.ts',
]);
const frontPage: Carriage = { page: 'README.md', files, references: 'names' };
const page: Carriage = { page: 'docs/providers/auth0.md', files, references: 'links' };

describe('A5: a page of the package', () => {
  it('has no part that is only for the repository', () => {
    const text =
      'One.\n\n<!-- repository -->\n\nnpm run demo\n\n<!-- /repository -->\n\nTwo. <!-- repository -->See.<!-- /repository -->\n';
    expect(carriedPage(text, frontPage)).toBe('One.\n\nTwo.\n');
  });

  it('keeps the end of a paragraph whose last words are only for the repository', () => {
    const words = 'One. <!-- repository -->See\nthere.<!-- /repository -->';
    expect(carriedPage(`${words}\n\n## Two\n`, frontPage)).toBe('One.\n\n## Two\n');
    expect(carriedPage(`- ${words.replace('One.', 'a,')}\n- b\n`, frontPage)).toBe('- a,\n- b\n');
    expect(carriedPage('a, <!-- repository -->b, <!-- /repository -->c\n', frontPage)).toBe('a, c\n');
  });

  it.each(documents().map((path) => relative(root, path)))(
    'has all headings of the source, at the beginning of a line: %s',
    (name) => {
      const headings = (text: string) => withoutCode(text).match(/^#+ .*$/gm);
      const text = readFileSync(join(root, name), 'utf8');
      const pictures = [...text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, to = '']) =>
        posix.join(dirname(name), to),
      );
      const packed = carriedPage(text, { page: name, files: new Set(pictures), references: 'links' });
      expect(headings(packed)).toEqual(headings(text));
    },
  );

  it('has the text that is only for the package', () => {
    expect(carriedPage('One.\n\n<!-- package\nTwo: [cost](docs/liveness.md).\n-->\n', frontPage)).toBe(
      'One.\n\nTwo: cost (`docs/liveness.md`).\n',
    );
  });

  it.each([
    ['a page', '[How fresh](docs/liveness.md)', 'How fresh (`docs/liveness.md`)'],
    ['a section', '[How fresh](docs/liveness.md#costs)', 'How fresh (`docs/liveness.md`)'],
    ['a page by its path', '[`docs/liveness.md`](docs/liveness.md)', '`docs/liveness.md`'],
    ['a source of the library', '[options](libs/oneid-logout/src/a/b.ts)', 'options (`dist/a/b.d.ts`)'],
    ['another source', '[`main.ts`](src/main.ts)', '`main.ts`'],
    ['another page', '[contributing](CONTRIBUTING.md)', 'contributing'],
    ['another site', '[site](https://oneid.example/)', '[site](https://oneid.example/)'],
    ['its own section', '[below](#use)', '[below](#use)'],
  ])('README: names %s', (_what, link, expected) => {
    expect(carriedPage(`Read ${link}, please.\n`, frontPage)).toBe(`Read ${expected}, please.\n`);
  });

  it('README: names the target of a link that is defined elsewhere', () => {
    const text = '| a | [and more][client] |\n\n[client]: libs/oneid-logout/src/a/b.ts\n\nEnd [1].\n';
    expect(carriedPage(text, frontPage)).toBe('| a | and more (`dist/a/b.d.ts`) |\n\nEnd [1].\n');
  });

  it.each([
    ['a page of the package', '[How fresh](../liveness.md#costs)', '[How fresh](../liveness.md#costs)'],
    ['a picture', '![Cost](../images/cost.svg)', '![Cost](../images/cost.svg)'],
    ['the front page', '[options](../../README.md#options)', '[options](../../README.md#options)'],
    ['a source of the library', '[b](../../libs/oneid-logout/src/a/b.ts)', '[b](../../dist/a/b.d.ts)'],
    ['a source outside the package', '[main.ts](../../src/main.ts)', 'main.ts'],
    ['its own section', '[below](#use)', '[below](#use)'],
  ])('docs: keeps the link to %s, or its text', (_what, link, expected) => {
    expect(carriedPage(`${link}\n`, page)).toBe(`${expected}\n`);
  });

  it('leaves out the row of a table that leads only to files outside the package', () => {
    const row = (cell: string) => `| I want to…   | ${cell} |\n`;
    const outside = row('[a](../scale.md), [b](../mutation.md)');
    const kept = [row('[a](../liveness.md)'), row('any, by [a](../scale.md)'), row('[a](https://oneid.example/)')];
    const expected = kept.join('').replace('[a](../scale.md)', 'a');
    expect(carriedPage(`# Tasks\n\n${outside}${kept.join('')}`, page)).toBe(`# Tasks\n\n${expected}`);
  });

  it('keeps code as it is', () => {
    const text = 'a\n\n```ts\nconst x = map[key](src/main.ts);\n```\n\n[main](../../src/main.ts)\n';
    expect(carriedPage(text, page)).toBe(text.replace('[main](../../src/main.ts)', 'main'));
  });

  it.each([
    ['a README with a picture', frontPage, '![Cost](docs/images/cost.svg)', 'README.md shows docs/images/cost.svg'],
    [
      'a picture that is not in the package',
      page,
      '![A](../images/a.png)',
      'docs/providers/auth0.md shows ../images/a.png',
    ],
  ])('refuses %s', (_what, carriage, text, message) => {
    expect(() => carriedPage(text, carriage)).toThrow(
      `${message}, which its readers do not have: put it into a part for the repository.`,
    );
  });
});

describe('docs/licences.md', () => {
  it('lists the packages that npm installs with the library', () => {
    const path = join(import.meta.dirname, '../docs/licences.md');
    if (process.env.UPDATE_LICENCES === '1') writeFileSync(path, licencesPage());
    expect(readFileSync(path, 'utf8')).toBe(licencesPage());
  });
});

describe('the release', () => {
  const script = ['--import', join(import.meta.dirname, 'support/typescript.mjs')].concat(
    join(import.meta.dirname, 'package/release.ts'),
  );

  it.each([
    ['a changed file', 'kept.txt', ' M kept.txt'],
    ['a new file', 'new.txt', '?? new.txt'],
  ])('refuses %s that is not committed, and names it', (_what, name, listed) => {
    const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-release-'));
    try {
      const work = join(folder, 'work');
      const git = (...args: string[]) => execFileSync('git', args, { cwd: work });
      mkdirSync(work);
      writeFileSync(join(work, 'kept.txt'), 'one');
      git('init', '--quiet');
      git('add', '.');
      git('-c', 'user.name=a', '-c', 'user.email=a@b.example', 'commit', '--quiet', '--message', 'one');
      writeFileSync(join(work, name), 'two');
      // git then looks at this folder, and not at the repository
      const env = { PATH: process.env.PATH, GIT_DIR: join(work, '.git'), GIT_WORK_TREE: work };
      const { status, stderr } = spawnSync(process.execPath, [...script, join(folder, 'release')], {
        ...{ env, encoding: 'utf8' },
      });
      expect(stderr).toContain(
        `These files are not as they are in the commit:\n${listed}\nCommit or remove them: others make the same package ` +
          'from the commit.',
      );
      expect([status, readdirSync(folder)]).toEqual([1, ['work']]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('deletes no file of a folder that the command names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-release-'));
    try {
      writeFileSync(join(folder, 'work.txt'), 'of somebody else');
      // without a PATH, the script finds no npm
      const { status, stderr } = spawnSync(process.execPath, [...script, folder], {
        ...{ env: { PATH: '' }, encoding: 'utf8' },
      });
      expect(stderr).toContain(`${folder} is not empty: name an empty folder, or none`);
      expect(status).toBe(1);
      expect(readdirSync(folder)).toEqual(['work.txt']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
