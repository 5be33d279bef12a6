import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** The paths of all pages of `docs/`, from the repository's root. */
export const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name))
  .sort();

/** The READMEs and all pages of `docs/`: absolute paths. */
export function documents(): string[] {
  return ['README.md', 'README.vi.md', 'libs/oneid-logout/README.md', ...pages]
    .map((name) => join(root, name))
    .filter((path) => existsSync(path));
}

/** A text without its blocks of code. */
export const withoutCode = (text: string): string => text.replace(/^( *)```[^]*?^ *```$/gm, '');

/** The links and pictures of a document inside the repository. */
export function linksOf(path: string): string[] {
  const text = withoutCode(readFileSync(path, 'utf8'));
  const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return inline.map(([, target = '']) => target).filter((target) => !/^(https?:|mailto:)/.test(target));
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(path: string): string[] {
  const headings = [...withoutCode(readFileSync(path, 'utf8')).matchAll(/^#+ (.+)$/gm)];
  return headings.map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
