import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

export const library = readJson('libs/oneid-logout/package.json') as Manifest;
const lock = readJson('package-lock.json') as LockFile;

/** Where npm has installed a package for the library: in the library's folder, if the root has another version. */
function placeOf(name: string): string {
  const own = `libs/oneid-logout/node_modules/${name}`;
  return own in lock.packages ? own : `node_modules/${name}`;
}

/** The packages that npm installs with the library: its dependencies, theirs, and so on. By name. */
export function runtimeDependencies(): Manifest[] {
  const found = new Map<string, Manifest>();
  const visit = ({ dependencies = {} }: Manifest): void => {
    for (const name of Object.keys(dependencies)) {
      if (found.has(name)) continue;
      const manifest = readJson(`${placeOf(name)}/package.json`) as Manifest;
      found.set(name, manifest);
      visit(manifest);
    }
  };
  visit(library);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Marks in the lock file for packages that the repository needs only for development, or that it could do without. */
const WHY = ['dev', 'peer', 'devOptional', 'optional'];

/** A lock file that has only the library and what npm installs with it. */
export function libraryLock(): object {
  const { name, version, license, dependencies } = library;
  const entries = runtimeDependencies().map(({ name: dependency }) => {
    const marks = Object.entries(lock.packages[placeOf(dependency)] ?? {});
    return [`node_modules/${dependency}`, Object.fromEntries(marks.filter(([key]) => !WHY.includes(key)))] as const;
  });
  return {
    name,
    version,
    lockfileVersion: 3,
    requires: true,
    packages: { '': { name, version, license, dependencies }, ...Object.fromEntries(entries) },
  };
}
