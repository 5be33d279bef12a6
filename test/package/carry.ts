// Runs before `npm pack` (the script `prepack` of the library): writes into the library's folder what the package has
// beside its code, made from the repository's pages.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { carriedPage } from './carried-page.js';

/** Pages for the people who change the library. */
const FOR_CONTRIBUTORS = [
  'conformance',
  'fuzzing',
  'model-check',
  'mutation',
  'releasing',
  'scale',
  'screenshots',
  'testing',
].map((name) => `docs/${name}.md`);

/** npm and a registry show these as the package's front page. */
const FRONT_PAGES = ['README.md', 'README.vi.md'];

const root = fileURLToPath(new URL('../../', import.meta.url));
const library = join(root, 'libs/oneid-logout');

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const inDocs = filesIn(join(root, 'docs')).map((path) => path.slice(root.length).replaceAll('\\', '/'));
const pages = [
  ...FRONT_PAGES,
  ...['CHANGELOG.md', 'SECURITY.md'],
  ...inDocs.filter((path) => path.endsWith('.md') && !FOR_CONTRIBUTORS.includes(path)),
];
/** The alert rules, which the reader loads into Prometheus. */
const rules = inDocs.filter((path) => path.endsWith('.rules.yml'));
/** Only the pictures that a page for the package's readers shows. */
const pictures = inDocs.filter(
  (path) =>
    path.startsWith('docs/images/') &&
    pages.some((page) => page.startsWith('docs/') && readFileSync(join(root, page), 'utf8').includes(path.slice(5))),
);
const dist = filesIn(join(library, 'dist'));
const unchanged = [...rules, ...pictures, 'LICENSE'];
const files = new Set([...pages, ...unchanged, ...dist.map((path) => path.slice(library.length + 1))]);

rmSync(join(library, 'docs'), { recursive: true, force: true });
const written = [...pages, ...unchanged].map((path) => {
  const to = join(library, path);
  mkdirSync(dirname(to), { recursive: true });
  if (pages.includes(path)) {
    const references = FRONT_PAGES.includes(path) ? 'names' : 'links';
    writeFileSync(to, carriedPage(readFileSync(join(root, path), 'utf8'), { page: path, files, references }));
  } else copyFileSync(join(root, path), to);
  return to;
});
// npm writes the permissions of the files into the tarball, and they depend on the umask of the checkout
for (const path of [...written, ...dist, join(library, 'package.json')]) if (existsSync(path)) chmodSync(path, 0o644);
