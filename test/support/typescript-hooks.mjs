import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import config from '../../jest.config.js';
import { withPlantedPatch } from './patch.mjs';

const [project] = config.projects;
const [[, [, options]]] = Object.entries(project.transform);
/** The sources of the library: of this checkout, or of another version (test/upgrade). */
const library = new URL(process.env.TEST_LIBRARY ?? '../../libs/oneid-logout/src/', import.meta.url);
const entries = {
  'nestjs-oneid-logout': new URL('index.ts', library).href,
  'nestjs-oneid-logout/testing': new URL('testing/index.ts', library).href,
};

/** The folder for compiled sources, named by a hash of source and options. Many processes need the same sources. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/typescript-hooks/', import.meta.url));

export async function resolve(specifier, context, next) {
  if (entries[specifier]) return { url: entries[specifier], shortCircuit: true };
  if (specifier.startsWith('.') && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (await exists(source)) return { url: source.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  return { format: 'module', source: await compiled(fileURLToPath(url)), shortCircuit: true };
}

async function compiled(filename) {
  const source = withPlantedPatch(filename, await readFile(filename, 'utf8'));
  const key = createHash('sha256')
    .update(JSON.stringify([filename, source, options]))
    .digest('hex');
  const file = join(cache, `${key}.js`);
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;
  // imported only when a source is not compiled yet, because it takes time to load
  const { transform } = await import('@swc/core');
  const { code } = await transform(source, { ...options, filename });
  await mkdir(cache, { recursive: true });
  // another process may write the same file at the same time; after a rename, a reader never sees half a file
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, code);
  await rename(partial, file);
  return code;
}

function exists(url) {
  return access(url).then(
    () => true,
    () => false,
  );
}
