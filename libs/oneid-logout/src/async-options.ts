import { type Provider } from '@nestjs/common';
import { InvalidOptionsError } from './oneid-logout.errors.js';
import { isRecord } from './option-checks.js';

/** The method of a class that `forRootAsync` gets as `useClass` or `useExisting`. */
export const FACTORY_METHOD = 'createOneIdLogoutOptions';

/** The ways to give the options to `forRootAsync`. */
export interface OptionsSource {
  readonly useFactory?: unknown;
  readonly useClass?: unknown;
  readonly useExisting?: unknown;
}

/** Says what came in place of options that are not there at all. */
export function requireOptions(options: unknown): void {
  if (options instanceof Promise) {
    throw new InvalidOptionsError([
      'forRoot() got a promise of the options, and cannot wait for it. Call forRootAsync({ useFactory }), whose factory may ' +
        'return a promise',
    ]);
  }
  if (isRecord(options)) return;
  throw new InvalidOptionsError([
    `forRoot() got ${named(options)}, not the options. Give it an object with at least clients: ` +
      'forRoot({ clients: [{ issuer, clientId, postLogoutRedirectUri }] })',
  ]);
}

/** @throws {InvalidOptionsError} no source is given, or more than one, or its factory is not a function */
export function requireSource(source: OptionsSource | undefined): void {
  const { useFactory, useClass, useExisting } = source ?? {};
  const given = Object.entries({ useFactory, useClass, useExisting }).filter(([, maker]) => maker !== undefined);
  if (given.length > 1) {
    const names = given.map(([name]) => name).join(' and ');
    throw new InvalidOptionsError([`forRootAsync() got ${names}, but only one can make the options. Keep one of them`]);
  }
  if (useFactory !== undefined && typeof useFactory !== 'function') {
    throw new InvalidOptionsError([
      `useFactory of forRootAsync() is ${named(useFactory)}, not a function. Give it a function that returns the options`,
    ]);
  }
  if (given.length === 1) return;
  throw new InvalidOptionsError([
    'forRootAsync() got none of useFactory, useClass and useExisting, so nothing makes the options. Give it one of them, ' +
      'for example useFactory: () => ({ clients: [{ issuer, clientId, postLogoutRedirectUri }] })',
  ]);
}

/** The provider of the options that `forRootAsync` has made, with checks of what the app's code returns. */
export function withChecks(provider: Provider, token: unknown, source: OptionsSource): Provider {
  if (typeof provider === 'function' || provider.provide !== token || !('useFactory' in provider)) return provider;
  const { useFactory } = provider as { readonly useFactory: (...dependencies: unknown[]) => unknown };
  return {
    ...provider,
    useFactory: async (...dependencies: unknown[]) => {
      const maker = source.useFactory === undefined ? methodOf(dependencies[0], source) : 'useFactory';
      const returned = useFactory(...dependencies);
      const options = await returned;
      if (isRecord(options)) return options;
      const promised = returned instanceof Promise && source.useFactory !== undefined ? 'a promise of ' : '';
      throw new InvalidOptionsError([
        `${maker} returned ${promised}${named(options)}, not the options. Return the options, or a promise of them, ` +
          'from each of its branches',
      ]);
    },
  };
}

/** @returns the name of the method that makes the options */
function methodOf(instance: unknown, { useClass, useExisting }: OptionsSource): string {
  const owner = useExisting ?? useClass;
  const name = typeof owner === 'function' ? owner.name : String(owner);
  const { [FACTORY_METHOD]: method } = Object(instance) as Readonly<Record<string, unknown>>;
  if (typeof method === 'function') return `${name}.${FACTORY_METHOD}()`;
  const others = methodsOf(instance);
  const has = others.length === 0 ? 'It has no methods' : `Its methods are ${others.join(', ')}`;
  throw new InvalidOptionsError([
    `${name}, the ${useExisting === undefined ? 'useClass' : 'useExisting'} of forRootAsync(), has no method ` +
      `${FACTORY_METHOD}(). ${has}. Give it this method, which returns the options: class ${name} implements ` +
      'OneIdLogoutOptionsFactory',
  ]);
}

/** The names of its methods, also of those that the classes above give it. */
function methodsOf(instance: unknown): string[] {
  const names = new Set<string>();
  for (let one: unknown = instance; isRecord(one) && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(one)))
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
  }
  return [...names];
}

function named(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
