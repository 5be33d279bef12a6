import { createTransformer as createSwcTransformer } from '@swc/jest';
import { withPlantedPatch } from '../support/patch.mjs';

/** Jest's transform of this repository, with the patch of the environment. Its cache key contains the patched source. */
function createTransformer(options) {
  const { getCacheKey, process, processAsync, ...swc } = createSwcTransformer(options);
  const planted =
    (act) =>
    (source, path, ...others) =>
      act(withPlantedPatch(path, source), path, ...others);
  return {
    ...swc,
    getCacheKey: planted(getCacheKey),
    process: planted(process),
    processAsync: planted(processAsync),
  };
}

export default { createTransformer };
