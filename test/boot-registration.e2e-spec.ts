import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, SetMetadata } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { OneIdLogoutModule, type OneIdLogoutOptions, type OneIdLogoutOptionsFactory } from 'nestjs-oneid-logout';
import { Boots, optionsFor } from './support/boot.js';
import { SkipThrottle } from './support/throttler.js';

const boots = new Boots();
afterEach(() => boots.close());

const issuer = 'https://oneid.example/';
const options = () => optionsFor(issuer);

/** The one error of the boot, without its first line. */
async function faultsOf(imports: () => Parameters<Boots['start']>[0]['imports']): Promise<string[]> {
  const message = await Promise.resolve()
    .then(async () => boots.start({ imports: imports() ?? [] }, { listens: false }))
    .then(
      () => 'the app has booted',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  const [first, ...faults] = message.split('\n');
  expect(first).toBe('OneIdLogoutModule: invalid options');
  return faults;
}

/** The app is written in JavaScript, or the type checker does not see the mistake. */
const unchecked = (value: unknown) => value as never;

describe('A4: forRootAsync', () => {
  it('A4: takes the options from ConfigService', async () => {
    const module = OneIdLogoutModule.forRootAsync({
      imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ ONEID_ISSUER: issuer })] })],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => optionsFor(config.getOrThrow('ONEID_ISSUER')),
    });
    expect((await boots.start({ imports: [module] }, { listens: false })).warnings).toEqual([]);
  });

  it('A4: says that a class has no method createOneIdLogoutOptions, and which methods it has', async () => {
    @Injectable()
    class Settings {
      createOptions() {
        return options();
      }
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    const rest =
      'has no method createOneIdLogoutOptions(). Its methods are createOptions. Give it this method, which returns the ' +
      'options: class Settings implements OneIdLogoutOptionsFactory';
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useClass: unchecked(Settings) })])).toEqual([
      `  - Settings, the useClass of forRootAsync(), ${rest}`,
    ]);
    expect(
      await faultsOf(() => [
        OneIdLogoutModule.forRootAsync({ imports: [SettingsModule], useExisting: unchecked(Settings) }),
      ]),
    ).toEqual([`  - Settings, the useExisting of forRootAsync(), ${rest}`]);
  });

  it('A4: says that a class has no methods', async () => {
    class Empty {}
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useClass: unchecked(Empty) })])).toEqual([
      '  - Empty, the useClass of forRootAsync(), has no method createOneIdLogoutOptions(). It has no methods. Give it this ' +
        'method, which returns the options: class Empty implements OneIdLogoutOptionsFactory',
    ]);
  });

  it('A4: names the methods of the class above and of properties, and of a plain object only its own', async () => {
    class Above {
      makeOptions() {
        return options();
      }
    }
    class Below extends Above {
      createOptions = () => options();
    }
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useClass: unchecked(Below) })])).toEqual([
      expect.stringContaining('Its methods are createOptions, makeOptions. Give it'),
    ]);
    for (const useValue of [{ clients: [] }, Object.create(null) as object]) {
      @Module({ providers: [{ provide: 'SETTINGS', useValue }], exports: ['SETTINGS'] })
      class SettingsModule {}
      const module = () =>
        OneIdLogoutModule.forRootAsync({ imports: [SettingsModule], useExisting: unchecked('SETTINGS') });
      expect(await faultsOf(() => [module()])).toEqual([
        expect.stringMatching(
          /^ {2}- SETTINGS, the useExisting of .* createOneIdLogoutOptions\(\)\. It has no methods\. /,
        ),
      ]);
    }
  });

  it('A4: takes the method also from a class above, or from a property', async () => {
    class Above implements OneIdLogoutOptionsFactory {
      createOneIdLogoutOptions(): OneIdLogoutOptions {
        return options();
      }
    }
    class Below extends Above {}
    class ByProperty {
      createOneIdLogoutOptions = () => options();
    }
    for (const useClass of [Below, ByProperty])
      await boots.start({ imports: [OneIdLogoutModule.forRootAsync({ useClass })] }, { listens: false });
  });

  it.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['null', () => null],
    ['a promise of undefined', () => Promise.resolve()],
    ['a value of type string', () => 'https://oneid.example/'],
    ['a list', () => [options()]],
  ])('A4: says that a factory returned %s', async (came, useFactory) => {
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useFactory: unchecked(useFactory) })])).toEqual([
      `  - useFactory returned ${came}, not the options. Return the options, or a promise of them, from each of its branches`,
    ]);
  });

  it('A4: says that the method of a class returned nothing', async () => {
    class Forgetful {
      async createOneIdLogoutOptions() {
        await Promise.resolve();
      }
    }
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useClass: unchecked(Forgetful) })])).toEqual([
      '  - Forgetful.createOneIdLogoutOptions() returned undefined, not the options. Return the options, or a promise of ' +
        'them, from each of its branches',
    ]);
  });

  it('A4: says where routeDecorators and isGlobal belong when the factory returns them, beside all other faults', async () => {
    const useFactory = unchecked(() => ({ ...options(), routeDecorators: [], isGlobal: false, returnUrls: [] }));
    const beside =
      'is inside the options, but Nest needs it before it makes them. Put it beside useFactory, useClass or useExisting';
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useFactory })])).toEqual([
      `  - routeDecorators ${beside}: forRootAsync({ routeDecorators: [Public()], useFactory })`,
      `  - isGlobal ${beside}: forRootAsync({ isGlobal: false, useFactory })`,
      '  - returnUrls should not be empty',
    ]);
  });

  it.each([[undefined], [{}], [{ imports: [], inject: [] }]])(
    'A4: says that nothing makes the options: %j',
    async (given) => {
      expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync(unchecked(given))])).toEqual([
        '  - forRootAsync() got none of useFactory, useClass and useExisting, so nothing makes the options. Give it one of ' +
          'them, for example useFactory: () => ({ clients: [{ issuer, clientId, postLogoutRedirectUri }] })',
      ]);
    },
  );

  it.each([
    [['useFactory', 'useClass']],
    [['useFactory', 'useExisting']],
    [['useClass', 'useExisting']],
    [['useFactory', 'useClass', 'useExisting']],
  ])('A4: says that more than one makes the options: %j', async (names) => {
    class Settings implements OneIdLogoutOptionsFactory {
      createOneIdLogoutOptions = () => options();
    }
    const all = { useFactory: options, useClass: Settings, useExisting: Settings };
    const given = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync(unchecked(given))])).toEqual([
      `  - forRootAsync() got ${names.join(' and ')}, but only one can make the options. Keep one of them`,
    ]);
  });

  it('A4: says that useFactory is not a function', async () => {
    expect(await faultsOf(() => [OneIdLogoutModule.forRootAsync({ useFactory: unchecked(options()) })])).toEqual([
      '  - useFactory of forRootAsync() is a value of type object, not a function. Give it a function that returns the options',
    ]);
  });
});

describe('A11: forRoot', () => {
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a list', []],
    ['a value of type string', issuer],
  ])('A11: says that it got %s', async (came, given) => {
    expect(await faultsOf(() => [OneIdLogoutModule.forRoot(unchecked(given))])).toEqual([
      `  - forRoot() got ${came}, not the options. Give it an object with at least clients: ` +
        'forRoot({ clients: [{ issuer, clientId, postLogoutRedirectUri }] })',
    ]);
  });

  it('A11: says that it got a promise', async () => {
    expect(await faultsOf(() => [OneIdLogoutModule.forRoot(unchecked(Promise.resolve(options())))])).toEqual([
      '  - forRoot() got a promise of the options, and cannot wait for it. Call forRootAsync({ useFactory }), whose factory ' +
        'may return a promise',
    ]);
  });

  const Public = () => SetMetadata('isPublic', true);

  it('A11: says that routeDecorators has a function that nobody has called', async () => {
    const routeDecorators = unchecked([SetMetadata('a', 1), Public, SkipThrottle, 'Public']);
    const rest = 'not a decorator. Call the function that makes it: [Public()]';
    expect(await faultsOf(() => [OneIdLogoutModule.forRoot({ ...options(), routeDecorators })])).toEqual([
      `  - routeDecorators[1] is the function Public, ${rest}`,
      `  - routeDecorators[2] is the function SkipThrottle, ${rest}`,
      `  - routeDecorators[3] is a value of type string, ${rest}`,
    ]);
  });

  it('A11: says that routeDecorators is not a list', async () => {
    const routeDecorators = unchecked(Public());
    expect(await faultsOf(() => [OneIdLogoutModule.forRoot({ ...options(), routeDecorators })])).toEqual([
      '  - routeDecorators is not a list. Give it a list: routeDecorators: [Public()]',
    ]);
  });

  it('A11: says that useFactory is for forRootAsync', async () => {
    const faults = await faultsOf(() => [OneIdLogoutModule.forRoot(unchecked({ useFactory: options }))]);
    expect(faults[0]).toBe(
      '  - useFactory is for forRootAsync(), and forRoot() does not read it. Call forRootAsync() instead',
    );
  });

  class Subclass extends OneIdLogoutModule {}

  it.each([OneIdLogoutModule, Subclass])(
    'A11: says that the class itself is imported, without options',
    async (bare) => {
      const fault =
        '  - a module of the app imports the class OneIdLogoutModule itself, without options. Import ' +
        'OneIdLogoutModule.forRoot({ … }) or .forRootAsync({ … }) in one module, and nothing in the others: its exports are ' +
        'available everywhere';
      expect(await faultsOf(() => [bare])).toEqual([fault]);
      // a feature imports the class to get the guard, beside the right import of the root
      @Module({ imports: [OneIdLogoutModule] })
      class Feature {}
      expect(await faultsOf(() => [OneIdLogoutModule.forRoot(options()), Feature])).toEqual([fault]);
    },
  );
});
