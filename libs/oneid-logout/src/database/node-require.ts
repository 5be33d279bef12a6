/**
 * Makes Node's own `require` for a file. A bundler parses an imported `createRequire` and replaces its result: webpack 5
 * makes `undefined` of its `cache`. So the library asks Node at run time, which no bundler parses.
 *
 * @param file an absolute path; packages are searched from its folder upwards, and the file need not exist
 */
export function nodeRequire(file: string): NodeJS.Require {
  return process.getBuiltinModule('node:module').createRequire(file);
}
