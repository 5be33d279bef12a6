import { LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';

/**
 * Has a replica believe what it knows for ever, however long ago it looked: the rule of staleness, switched off to see
 * that it is missed.
 */
export function believeForever(follower: LogoutFollower): void {
  let known: LogoutFollower['usableGeneration'];
  const honest = () =>
    Reflect.get<LogoutFollower, 'usableGeneration'>(LogoutFollower.prototype, 'usableGeneration', follower);
  Object.defineProperty(follower, 'usableGeneration' satisfies keyof LogoutFollower, {
    get: () => (known = honest() ?? known),
  });
}
