import { LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';

/**
 * Has a replica believe what it knows for ever, however long ago it looked: the rule of staleness, switched off to see
 * that it is missed.
 */
export function believeForever(follower: LogoutFollower): void {
  let known: LogoutFollower['fresh'];
  const honest = () => Reflect.get<LogoutFollower, 'fresh'>(LogoutFollower.prototype, 'fresh', follower);
  Object.defineProperty(follower, 'fresh' satisfies keyof LogoutFollower, { get: () => (known = honest() ?? known) });
}
