// A patch is a fault to plant: a search and replace in one source file of this repository, in memory only. The sabotages
// of test/sabotage and the simulation use this one format. Jest with `test/sabotage/transform.mjs`, and a Node process with
// `--import test/support/typescript.mjs`, plant the patch of the environment variable PLANTED_PATCH when they load the file.
// Other code calls `applyPatch(patch, source)`.
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The environment variable that holds the patch to plant, as JSON. */
export const PLANTED_PATCH = 'PLANTED_PATCH';

/** @throws an error when the code has moved: the source must hold the search text exactly once */
export function applyPatch({ file, search, replace }, source) {
  const parts = source.split(search);
  const matches = parts.length - 1;
  if (search === '' || matches !== 1) {
    throw new Error(`${file} must hold the search text once, and holds it ${matches} times:\n${search}`);
  }
  if (search === replace) throw new Error(`The patch of ${file} changes nothing:\n${search}`);
  return parts.join(replace);
}

/** The source of a file, with the patch of the environment if it is a patch of this file. */
export function withPlantedPatch(path, source) {
  const planted = process.env[PLANTED_PATCH];
  if (planted === undefined) return source;
  const patch = JSON.parse(planted);
  return relative(root, path).replaceAll(sep, '/') === patch.file ? applyPatch(patch, source) : source;
}
