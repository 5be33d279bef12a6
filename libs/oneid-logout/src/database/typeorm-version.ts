import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as typeOrm from 'typeorm';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { nodeRequire } from './node-require.js';

/** A TypeORM that this process has loaded. */
export interface LoadedTypeOrm {
  readonly version: string;
  readonly folder: string;
}

/** The CommonJS modules of a process, by file: TypeORM's ES module only passes on what its CommonJS module exports. */
export type LoadedModules = Readonly<Record<string, { readonly exports: unknown } | undefined>>;

/** The peer dependency on TypeORM; the versions that {@link faultOf} accepts. */
export const SUPPORTED_TYPEORM = '^0.3.31 || ^1.1.0';

/** TypeORM's main file, also when the package is installed under a longer name. */
const MAIN_FILE = /[\\/]typeorm[^\\/]*[\\/]index\.js$/;

/**
 * Refuses a TypeORM with which the library is not tested. It checks nothing in a bundle, because a bundle has no
 * version of TypeORM.
 *
 * @throws {UnusableDatabaseError} code `typeorm_unusable`
 */
export function refuseOtherTypeOrm(): void {
  own ??= findTypeOrms().own;
  const fault = faultOf(own, 'DataSource' in typeOrm);
  if (fault === undefined) return;
  const line = own === undefined || own.version.startsWith('0.') ? '0.3' : '1';
  throw new UnusableDatabaseError(fault, { code: 'typeorm_unusable', cure: `Run: npm install typeorm@${line}` });
}

/** It stays the same, and the search reads a list of all loaded modules. */
let own: LoadedTypeOrm | undefined;

/**
 * Says that the app and the library use different versions of TypeORM.
 *
 * @returns a sentence for the log; undefined when the process has loaded one version only
 */
export function typeOrmNotice({ own, others } = findTypeOrms()): string | undefined {
  const other = others.find(({ version }) => version !== own?.version);
  if (own === undefined || other === undefined) return undefined;
  return (
    `The library uses TypeORM ${own.version} (${own.folder}), and this process has also loaded TypeORM ${other.version} ` +
    `(${other.folder}). If the app should have one TypeORM, install a version in the range ${SUPPORTED_TYPEORM}, and ` +
    'remove the other one.'
  );
}

/**
 * Finds each TypeORM that this process has loaded.
 *
 * @param exported what the library's own TypeORM exports
 * @returns `own`: the one that the library uses; undefined when it is part of a bundle
 */
export function findTypeOrms(
  loaded: LoadedModules = nodeRequire(join(process.cwd(), 'package.json')).cache,
  exported: typeof typeOrm = typeOrm,
): { readonly own: LoadedTypeOrm | undefined; readonly others: readonly LoadedTypeOrm[] } {
  let own: LoadedTypeOrm | undefined;
  const others: LoadedTypeOrm[] = [];
  for (const file of Object.keys(loaded).filter((file) => MAIN_FILE.test(file))) {
    const found = readManifest(dirname(file));
    const exports = loaded[file]?.exports as Partial<typeof typeOrm> | undefined;
    if (found === undefined) continue;
    // every version exports this function
    if (exports?.getMetadataArgsStorage === exported.getMetadataArgsStorage) own = found;
    else others.push(found);
  }
  return { own, others };
}

/** @returns undefined when the folder has no package of this name */
function readManifest(folder: string): LoadedTypeOrm | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    const { name, version } = manifest;
    return name === 'typeorm' && typeof version === 'string' ? { version, folder } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param found undefined when its version can't be read
 * @param hasDataSource does it have the class `DataSource`, which TypeORM 0.3 introduced?
 * @returns why the library can't use this TypeORM; undefined when it can
 */
export function faultOf(found: LoadedTypeOrm | undefined, hasDataSource: boolean): string | undefined {
  const expected = `and the library needs a version in the range ${SUPPORTED_TYPEORM}`;
  if (found === undefined) {
    return hasDataSource ? undefined : `it has found a TypeORM older than 0.3, ${expected}`;
  }
  if (isSupported(found.version)) return undefined;
  return `it has found TypeORM ${found.version} in ${found.folder}, ${expected}`;
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => parseInt(part, 10));
  return major === 0 ? minor === 3 && patch >= 31 : major === 1 && minor >= 1;
}
