/** The paths of the library's routes, below the app's prefix and the registration's path. */
export const routePaths = {
  backchannel: 'backchannel_logout',
  frontchannel: 'frontchannel_logout',
  callback: 'logout/callback',
} as const;

const OUR_PATHS = new RegExp(`/(${Object.values(routePaths).join('|')})/?$`, 'i');

/** Is this the full path of one of the library's routes? Any prefix is allowed. */
export function isLibraryRoute(path: unknown): path is string {
  return typeof path === 'string' && OUR_PATHS.test(path);
}
