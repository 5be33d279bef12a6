const OUR_PATHS = /\/(backchannel_logout|frontchannel_logout|logout\/callback)\/?$/i;

/** Is this the full path of one of the library's routes? Any prefix is allowed. */
export function isLibraryRoute(path: unknown): path is string {
  return typeof path === 'string' && OUR_PATHS.test(path);
}
