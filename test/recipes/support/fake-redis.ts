import { jest } from '@jest/globals';

/** A Redis in memory, with the commands that connect-redis sends for one session. */
export class FakeRedis {
  readonly values = new Map<string, string>();
  /** The lifetimes that were set, seconds. */
  readonly lifetimes = new Map<string, number>();

  readonly client = {
    connect: () => Promise.resolve(this.client),
    get: (key: string) => Promise.resolve(this.values.get(key) ?? null),
    set: (key: string, value: string, { expiration }: { expiration: { value: number } }) => {
      this.values.set(key, value);
      this.lifetimes.set(key, expiration.value);
      return Promise.resolve('OK');
    },
    expire: (key: string, seconds: number) => {
      this.lifetimes.set(key, seconds);
      return Promise.resolve(1);
    },
    del: (keys: readonly string[]) => Promise.resolve(keys.filter((key) => this.values.delete(key)).length),
  };
}

/** Takes the place of the server: connect-redis itself is real. Call it before the import of the recipe. */
export function fakeRedis(): FakeRedis {
  const redis = new FakeRedis();
  jest.unstable_mockModule('redis', () => ({ createClient: () => redis.client }));
  return redis;
}
