import { posix } from 'node:path';

export interface Carriage {
  /** The page's path from the repository's root; in the package it has the same path. */
  readonly page: string;
  /** The files of the package, by their path from its root. */
  readonly files: ReadonlySet<string>;
  /**
   * `links`: links to files of the package stay links. `names`: they become the link's text with the file's path,
   * because a registry's page shows a README without the files beside it.
   */
  readonly references: 'links' | 'names';
}

/** A part of whole paragraphs. The empty line after it goes with it. */
const REPOSITORY_PARAGRAPHS = /^<!-- repository -->$[^]*?^<!-- \/repository -->$\s*/gm;
/** A part of a paragraph. The line break after it stays, because it may end the paragraph. */
const REPOSITORY_WORDS =
  / *<!-- repository -->[^]*?<!-- \/repository -->(?=\n)|<!-- repository -->[^]*?<!-- \/repository -->/g;
const PACKAGE_PART = /<!-- package\n([^]*?)-->/g;
const FENCE = /^( *```[^]*?^ *```$)/m;
const LAST_CELL = /^\|.*\| *([^|\n]+?) *\|\n/gm;
const DEFINITION = /^\[([^\]]+)\]: (\S+)$\n?/gm;
const LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\](?:\(([^)\s]+)\)|\[([^\]]+)\])/g;

/**
 * Changes a page of the repository into the page that the package carries. Parts between `<!-- repository -->` and
 * `<!-- /repository -->` are left out, and a comment that begins with `package` becomes text. Links to files that are not
 * in the package become their text; a source of the library becomes its declaration file. A row of a table is left out when
 * its last cell has only links to files that are not in the package.
 *
 * @throws {Error} a picture that the package does not have
 */
export function carriedPage(text: string, carriage: Carriage): string {
  const parts = text
    .replaceAll(REPOSITORY_PARAGRAPHS, '')
    .replaceAll(REPOSITORY_WORDS, '')
    .replaceAll(PACKAGE_PART, '$1')
    .split(FENCE);
  const targets = new Map(
    parts.filter(isProse).flatMap((part) => [...part.matchAll(DEFINITION)].map(([, name = '', to = '']) => [name, to])),
  );
  return parts
    .map((part, index) => (isProse(part, index) ? proseOf(part, targets, carriage) : part))
    .join('')
    .trimEnd()
    .concat('\n');
}

/** `split` by a pattern with one group gives prose and fenced code in turn. */
function isProse(_part: string, index: number): boolean {
  return index % 2 === 0;
}

function proseOf(prose: string, targets: ReadonlyMap<string, string>, carriage: Carriage): string {
  return prose
    .replaceAll(LAST_CELL, (row, cell: string) => (leadsOutside(cell, carriage) ? '' : row))
    .replaceAll(DEFINITION, '')
    .replaceAll(LINK, (whole, picture: string, name: string, inline?: string, reference?: string) => {
      const target = inline ?? targets.get(reference ?? '');
      return target === undefined ? whole : linkOf(picture !== '', name, target, carriage);
    })
    .replaceAll(/\n{3,}/g, '\n\n');
}

/** True when a cell of a table has only links, and all of them lead to files that are not in the package. */
function leadsOutside(cell: string, carriage: Carriage): boolean {
  const links = [...cell.matchAll(LINK)];
  const isOutside = ([, , , target = '#']: RegExpMatchArray) =>
    !isElsewhere(target) && !carriage.files.has(fileOf(target, carriage));
  return links.length > 0 && links.every(isOutside) && cell.replaceAll(LINK, '').replaceAll(/[,\s]/g, '') === '';
}

/** On another site, or on the same page. */
function isElsewhere(target: string): boolean {
  return /^(https?:|mailto:|#)/.test(target);
}

function linkOf(isPicture: boolean, name: string, target: string, carriage: Carriage): string {
  const { page, files, references } = carriage;
  const mark = isPicture ? '!' : '';
  if (isElsewhere(target)) return `${mark}[${name}](${target})`;
  const file = fileOf(target, carriage);
  const isCarried = files.has(file);
  if (isPicture && (!isCarried || references === 'names')) {
    throw new Error(`${page} shows ${target}, which its readers do not have: put it into a part for the repository.`);
  }
  if (!isCarried) return name;
  if (references === 'names') return name === `\`${file}\`` ? name : `${name} (\`${file}\`)`;
  const relative = posix.relative(posix.dirname(page), file);
  return `${mark}[${name}](${relative}${/#.*$/.exec(target)?.[0] ?? ''})`;
}

/** Where the package has the file that a link leads to. It may be a file that the package leaves out. */
function fileOf(target: string, { page }: Carriage): string {
  const path = posix.join(posix.dirname(page), target.replace(/#.*$/, ''));
  return path.replace(/^libs\/oneid-logout\/src\/(.*)\.ts$/, 'dist/$1.d.ts');
}
