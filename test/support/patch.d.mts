/** A fault to plant: a search and replace in one source file of this repository. */
export interface Patch {
  /** The path of the source file, from the repository's root. */
  readonly file: string;
  /** The file must hold this text exactly once. */
  readonly search: string;
  readonly replace: string;
}

/** The environment variable that holds the patch to plant, as JSON. */
export declare const PLANTED_PATCH: 'PLANTED_PATCH';

/**
 * @returns the source with the patch
 * @throws an error when the code has moved: the source must hold the search text exactly once
 */
export declare function applyPatch(patch: Patch, source: string): string;

/** @returns the source of a file, with the patch of the environment if it is a patch of this file */
export declare function withPlantedPatch(path: string, source: string): string;
