const OUR_PATHS = /\/(backchannel_logout|frontchannel_logout|logout\/callback)\/?$/i;

/** Is this the full path of one of the library's routes, whatever prefix stands before it? */
export function isLibraryRoute(path: unknown): path is string {
  return typeof path === 'string' && OUR_PATHS.test(path);
}
