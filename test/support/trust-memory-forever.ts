import { LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';

/**
 * Switches the staleness limit of a replica off: the replica trusts its memory forever. A control test uses this to
 * check that the other tests would notice the missing limit.
 */
export function trustMemoryForever(follower: LogoutFollower): void {
  let known: LogoutFollower['usableGeneration'];
  const honest = () =>
    Reflect.get<LogoutFollower, 'usableGeneration'>(LogoutFollower.prototype, 'usableGeneration', follower);
  Object.defineProperty(follower, 'usableGeneration' satisfies keyof LogoutFollower, {
    get: () => (known = honest() ?? known),
  });
}
