import { type CanActivate } from '@nestjs/common';
import { isRecord } from '../option-checks.js';

/** One limit of a throttler. */
interface Limit {
  /** How many requests of one caller it lets through in `ttlMs` milliseconds. */
  readonly limit: unknown;
  readonly ttlMs: unknown;
  /** The name that `SkipThrottle()` takes. */
  readonly name: string;
}

/**
 * The guard of `@nestjs/throttler`, or a class below it, in a form that counts nothing: it notes which limits it would
 * count a request for. The package is not a dependency, so its guard is known by its name and its method `handleRequest`.
 *
 * @returns undefined for every other guard
 */
export function limitsOf(guard: CanActivate): { readonly guard: CanActivate; readonly found: Limit[] } | undefined {
  if (!isThrottler(guard)) return undefined;
  const found: Limit[] = [];
  const handleRequest = (given: unknown) => {
    const { limit, ttl, throttler } = isRecord(given) ? given : {};
    const name = isRecord(throttler) && typeof throttler['name'] === 'string' ? throttler['name'] : 'default';
    found.push({ limit, ttlMs: ttl, name });
    return Promise.resolve(true);
  };
  return { guard: Object.create(guard, { handleRequest: { value: handleRequest } }) as CanActivate, found };
}

function isThrottler(guard: object): boolean {
  for (let one: unknown = guard; typeof one === 'object' && one !== null; one = Object.getPrototypeOf(one))
    if (one.constructor.name === 'ThrottlerGuard') return 'handleRequest' in guard;
  return false;
}

export function throttleWarning(guard: string, route: string, limits: readonly Limit[]): string {
  const each = limits
    .map(({ limit, ttlMs }) => `${String(limit)} requests in ${String(ttlMs)} ms`)
    .join(', and after ');
  const names = limits.map(({ name }) => name);
  const skip = names.every((name) => name === 'default')
    ? 'SkipThrottle()'
    : `SkipThrottle({ ${names.map((name) => `${/^\w+$/.test(name) ? name : JSON.stringify(name)}: true`).join(', ')} })`;
  return (
    `${guard}, a global guard, answers 429 to ${route} after ${each}. OneID sends the logouts of all users from few ` +
    `addresses, so some logouts would be lost. Put routeDecorators: [${skip}] beside the module's options.`
  );
}
