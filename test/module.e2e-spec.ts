import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  ConsoleLogger,
  Controller,
  type DynamicModule,
  Get,
  type INestApplication,
  Injectable,
  Module,
  type ModuleMetadata,
  SetMetadata,
  type Type,
  UseGuards,
  VersioningType,
} from '@nestjs/common';
import { NestFactory, Reflector, RouterModule } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { rm } from 'node:fs/promises';
import {
  CurrentSession,
  LogoutService,
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  type OneIdLogoutOptionsFactory,
  SessionAliveGuard,
  SessionEvents,
  type SessionFacts,
  sessionFromCookie,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { nodeNotice } from '../libs/oneid-logout/src/node-notice.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { sqlite, type TestDatabase } from './support/databases.js';
import { clientId } from './support/host.js';
import { until } from './support/until.js';
import { suiteKey } from './support/suite-key.js';

let oneId: OneIdTestProvider;
let database: TestDatabase;
const apps: { close(): Promise<void> }[] = [];
const log: { level: string; message: unknown }[] = [];
/** The library's warnings about the version of Node that runs the tests. */
const nodeNotices: unknown[] = [];

beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ clients: [{ clientId }], signingKey: await suiteKey() });
});
afterAll(() => oneId.close());
beforeEach(async () => {
  database = await sqlite.create();
  log.length = 0;
  nodeNotices.length = 0;
});
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
  await database.drop();
});

/** Stores the library's log entries, and prints nothing. */
class RecordingLogger extends ConsoleLogger {
  override log(message: unknown, context?: unknown): void {
    if (context === 'OneIdLogout') log.push({ level: 'log', message });
  }
  override warn(message: unknown, context?: unknown): void {
    if (message === nodeNotice()) nodeNotices.push(message);
    else if (context === 'OneIdLogout') log.push({ level: 'warn', message });
  }
  override error(message: unknown, context?: unknown): void {
    if (context === 'OneIdLogout') log.push({ level: 'error', message });
  }
}

@Controller()
class MeController {
  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }
}

/** A feature module of the host with one guarded route. */
@Module({ controllers: [MeController] })
class FeatureModule {}

function options(changes: Partial<OneIdLogoutOptions> = {}) {
  return {
    clients: [{ issuer: oneId.issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' }],
    secrets: ['a secret of the app that is long enough'],
    database: database.options,
    sessionFrom: sessionFromCookie('session'),
    ...changes,
  };
}

interface Boot {
  readonly adapter?: 'express' | 'fastify';
  readonly configure?: (app: INestApplication) => void;
}

async function boot(
  metadata: ModuleMetadata,
  { adapter = 'express', configure }: Boot = {},
): Promise<INestApplication> {
  @Module(metadata)
  class AppModule {}
  const logger = new RecordingLogger();
  const app = await (adapter === 'fastify'
    ? NestFactory.create(AppModule, new FastifyAdapter(), { logger, abortOnError: false })
    : NestFactory.create(AppModule, { logger, abortOnError: false }));
  configure?.(app);
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

async function register(app: INestApplication, module?: DynamicModule): Promise<string> {
  const registry =
    module === undefined ? app.get(SessionRegistry) : app.select(module).get(SessionRegistry, { strict: true });
  const idToken = await oneId.idToken({ clientId, login: oneId.signIn() });
  return (await registry.register({ idToken })).sessionToken;
}

async function statusAt(app: INestApplication, path: string, session?: string): Promise<number> {
  const headers = session === undefined ? {} : { cookie: `session=${session}` };
  return (await fetch((await app.getUrl()) + path, { headers, redirect: 'manual' })).status;
}

/** The library works: its routes are there, and the guard of a feature module lets a session pass and no other. */
async function expectWorking(app: INestApplication, module?: DynamicModule): Promise<void> {
  const session = await register(app, module);
  expect(await statusAt(app, '/me', session)).toBe(200);
  expect(await statusAt(app, '/me')).toBe(401);
  expect(await statusAt(app, '/frontchannel_logout')).toBe(200);
  expect(await statusAt(app, '/logout/callback')).toBe(303);
  const sessions =
    module === undefined ? app.get(SessionRegistry) : app.select(module).get(SessionRegistry, { strict: true });
  await sessions.end(tokenHashOf(session));
  expect(await statusAt(app, '/me', session)).toBe(401);
}

@Injectable()
class Settings {
  readonly options = options;
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class OptionsFactory implements OneIdLogoutOptionsFactory {
  constructor(private readonly settings: Settings) {}

  createOneIdLogoutOptions(): Promise<OneIdLogoutOptions> {
    return Promise.resolve(this.settings.options());
  }
}

@Module({ imports: [SettingsModule], providers: [OptionsFactory], exports: [OptionsFactory] })
class OptionsModule {}

describe('registering the module', () => {
  it('works by forRoot', async () => {
    await expectWorking(await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] }));
  });

  it('works by forRootAsync with useFactory, imports and inject', async () => {
    const module = OneIdLogoutModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async (settings: Settings) => Promise.resolve(settings.options()),
    });
    await expectWorking(await boot({ imports: [module, FeatureModule] }));
  });

  it('works by forRootAsync with useClass', async () => {
    const module = OneIdLogoutModule.forRootAsync({ imports: [SettingsModule], useClass: OptionsFactory });
    await expectWorking(await boot({ imports: [module, FeatureModule] }));
  });

  it('works by forRootAsync with useExisting', async () => {
    const module = OneIdLogoutModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsFactory });
    await expectWorking(await boot({ imports: [module, FeatureModule] }));
  });

  it.each(['forRoot', 'forRootAsync'] as const)(
    'accepts isGlobal and routeDecorators beside the options of %s',
    async (how) => {
      const Public = () => SetMetadata('public', true);
      @Injectable()
      class GuardOfTheHost {
        canActivate = jest.fn<(context: { getHandler(): object }) => boolean>(
          (context) => Reflect.getMetadata('public', context.getHandler()) === true,
        );
      }
      const extras = { isGlobal: true, routeDecorators: [Public()] };
      const module =
        how === 'forRoot'
          ? OneIdLogoutModule.forRoot({ ...options(), ...extras })
          : OneIdLogoutModule.forRootAsync({ ...extras, useFactory: () => options() });
      const app = await boot(
        { imports: [module, FeatureModule] },
        { configure: (created) => void created.useGlobalGuards(new GuardOfTheHost()) },
      );
      expect(await statusAt(app, '/frontchannel_logout')).toBe(200);
      expect(await statusAt(app, '/logout/callback')).toBe(303);
      expect(await statusAt(app, '/me', await register(app))).toBe(403);
    },
  );

  it('isGlobal: false makes a feature import the module to use the guard', async () => {
    const module = OneIdLogoutModule.forRoot({ ...options(), isGlobal: false });
    @Module({ imports: [module], controllers: [MeController] })
    class ImportingFeature {}
    await expectWorking(await boot({ imports: [module, ImportingFeature] }));

    await expect(
      boot({ imports: [OneIdLogoutModule.forRoot({ ...options(), isGlobal: false }), FeatureModule] }),
    ).rejects.toThrow(/can't resolve dependencies of the SessionAliveGuard/);
  });

  it('exports the providers that an app and the guard need', async () => {
    const app = await boot({ imports: [OneIdLogoutModule.forRoot(options())] });
    const exported = [LogoutService, SessionAliveGuard, SessionEvents, SessionRegistry];
    for (const type of exported as Type[]) expect(app.get(type)).toBeInstanceOf(type);
    expect(app.get(Reflector)).toBeInstanceOf(Reflector);
  });

  it('refuses bad options at boot, from forRoot and forRootAsync', async () => {
    const faulty = { clients: [] } as unknown as OneIdLogoutOptions;
    const message = 'OneIdLogoutModule: invalid options\n  - clients should not be empty';
    await expect(boot({ imports: [OneIdLogoutModule.forRoot(faulty)] })).rejects.toThrow(message);
    await expect(boot({ imports: [OneIdLogoutModule.forRootAsync({ useFactory: () => faulty })] })).rejects.toThrow(
      message,
    );
  });

  it('lists all faults in the groups of a client in one message at boot', async () => {
    const groups = [
      { clientAuthentication: { clientSecret: 'a secret', privateKey: { kty: 'oct', k: 'a key' } }, endpoints: null },
      { clientAuthentication: {}, idTokenEncryption: { alg: 'dir', privateKeys: [], padding: 1 } },
      { clientAuthentication: 'a secret', idTokenEncryption: [], endpoints: 'https://oneid.example' },
    ];
    const [client] = options().clients;
    const faulty = {
      ...options(),
      clients: groups.map((group) => ({ ...client, ...group })),
    } as unknown as OneIdLogoutOptions;
    const either = 'must be either { clientSecret, method? } or { privateKey, audience? }';
    const faults = [
      `clients[0].clientAuthentication ${either}`,
      expect.stringMatching(/^clients\[0\]\.clientAuthentication\.privateKey must be a complete private JWK /),
      'clients[0].endpoints must be an object',
      `clients[1].clientAuthentication ${either}`,
      'clients[1].idTokenEncryption.padding is not an option',
      expect.stringMatching(/^clients\[1\]\.idTokenEncryption\.alg must be one of the following values: RSA-OAEP, /),
      'clients[1].idTokenEncryption.privateKeys must be a list of one or more complete private JWKs (RSA, EC or OKP)',
      'clients[2].clientAuthentication must be an object',
      'clients[2].endpoints must be an object',
      'clients[2].idTokenEncryption must be an object',
    ];
    const error = { code: 'options_invalid', faults, message: expect.not.stringMatching(/a secret|a key/) };
    await expect(boot({ imports: [OneIdLogoutModule.forRoot(faulty)] })).rejects.toMatchObject(error);
    await expect(
      boot({ imports: [OneIdLogoutModule.forRootAsync({ useFactory: () => faulty })] }),
    ).rejects.toMatchObject(error);
  });

  it('refuses a database that it cannot open, before the app listens', async () => {
    const unreachable = { type: 'better-sqlite3', database: '/dev/null/oneid.sqlite' } as const;
    await expect(boot({ imports: [OneIdLogoutModule.forRoot(options({ database: unreachable }))] })).rejects.toThrow(
      /EEXIST/,
    );
  });

  it('runs in an application without HTTP', async () => {
    @Module({ imports: [OneIdLogoutModule.forRoot(options())] })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: new RecordingLogger() });
    apps.push(worker);
    const idToken = await oneId.idToken({ clientId, login: oneId.signIn() });
    const { id } = await worker.get(SessionRegistry).register({ idToken });
    expect(await worker.get(SessionRegistry).end(id)).toBe(true);
    expect(log).toEqual([]);
  });

  it("works in Nest's testing module, with providers overridden", async () => {
    const testing = await Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot(options())] })
      .overrideProvider(LogoutService)
      .useValue({ fake: true })
      .compile();
    apps.push(testing);
    expect(testing.get<unknown>(LogoutService)).toEqual({ fake: true });
  });
});

describe('two registrations', () => {
  class OneA extends OneIdLogoutModule {}
  class OneB extends OneIdLogoutModule {}

  let databaseB: TestDatabase;
  beforeEach(async () => {
    databaseB = await sqlite.create();
  });
  afterEach(() => databaseB.drop());

  it('of the same class are refused', async () => {
    const twice = [options(), options({ database: databaseB.options })].map((each) => OneIdLogoutModule.forRoot(each));
    await expect(boot({ imports: twice })).rejects.toThrow(
      new Error(
        'OneIdLogoutModule is registered 2 times in this app. Name several clients in one registration, or give each ' +
          'registration its own class (class Second extends OneIdLogoutModule {}) and its own path with RouterModule.',
      ),
    );
  });

  it('at a path that a class has inherited are refused, too', async () => {
    const imports = [
      OneIdLogoutModule.forRoot(options()),
      OneB.forRoot({ ...options({ database: databaseB.options }), isGlobal: false }),
      RouterModule.register([{ path: 'sso', module: OneIdLogoutModule }]),
    ];
    await expect(boot({ imports })).rejects.toThrow(
      /^(OneIdLogoutModule and OneB|OneB and OneIdLogoutModule) have the same path in this app\./,
    );
  });

  it('of the same class in two features are refused, too', async () => {
    @Module({ imports: [OneA.forRoot({ ...options(), isGlobal: false })] })
    class First {}
    @Module({ imports: [OneA.forRoot({ ...options({ database: databaseB.options }), isGlobal: false })] })
    class Second {}
    await expect(boot({ imports: [First, Second] })).rejects.toThrow(/^OneA is registered 2 times in this app\./);
  });

  it('with the same dynamic module, imported twice, count as one', async () => {
    const module = OneIdLogoutModule.forRoot(options());
    @Module({ imports: [module] })
    class First {}
    await expectWorking(await boot({ imports: [First, module, FeatureModule] }));
  });

  it.each(['express', 'fastify'] as const)('of two classes with the same path are refused on %s', async (adapter) => {
    const imports = [
      OneA.forRoot({ ...options(), isGlobal: false }),
      OneB.forRoot({ ...options({ database: databaseB.options }), isGlobal: false }),
    ];
    await expect(boot({ imports }, { adapter })).rejects.toThrow(
      new Error('OneA and OneB have the same path in this app. Give each its own path with RouterModule.'),
    );
  });

  it.each(['express', 'fastify'] as const)(
    'of two classes with their own paths work side by side, on %s',
    async (adapter) => {
      const uri = (path: string) => ({
        clients: [
          { issuer: oneId.issuer, clientId, postLogoutRedirectUri: `https://app.example/${path}/logout/callback` },
        ],
      });
      const moduleA = OneA.forRoot({ ...options({ ...uri('a'), returnUrls: ['/left-a'] }), isGlobal: false });
      const moduleB = OneB.forRoot({
        ...options({ ...uri('deep/b'), returnUrls: ['/left-b'], database: databaseB.options }),
        isGlobal: false,
      });
      @Controller('a')
      class ControllerA extends MeController {}
      @Controller('b')
      class ControllerB extends MeController {}
      @Module({ imports: [moduleA], controllers: [ControllerA] })
      class FeatureA {}
      @Module({ imports: [moduleB], controllers: [ControllerB] })
      class FeatureB {}

      const routes = RouterModule.register([
        { path: 'a', module: OneA },
        { path: 'deep', children: [{ path: 'b', module: OneB }] },
      ]);
      const app = await boot({ imports: [FeatureA, FeatureB, routes] }, { adapter });
      const url = await app.getUrl();

      const login = oneId.signIn();
      const sessionAt = async (module: DynamicModule) => {
        const registry = app.select(module).get(SessionRegistry, { strict: true });
        return (await registry.register({ idToken: await oneId.idToken({ clientId, login }) })).sessionToken;
      };
      const [a, b] = [await sessionAt(moduleA), await sessionAt(moduleB)];
      expect([await statusAt(app, '/a/me', a), await statusAt(app, '/b/me', b)]).toEqual([200, 200]);
      expect([await statusAt(app, '/a/me', b), await statusAt(app, '/b/me', a)]).toEqual([401, 401]);

      const token = await oneId.logoutToken({ clientId, login });
      await oneId.deliver(`${url}/a/backchannel_logout`, token);
      expect([await statusAt(app, '/a/me', a), await statusAt(app, '/b/me', b)]).toEqual([401, 200]);
      await oneId.deliver(`${url}/deep/b/backchannel_logout`, token);
      expect(await statusAt(app, '/b/me', b)).toBe(401);

      for (const [path, place] of [
        ['a', '/left-a'],
        ['deep/b', '/left-b'],
      ]) {
        const back = await fetch(`${url}/${path ?? ''}/logout/callback`, { redirect: 'manual' });
        expect(back.headers.get('location')).toBe(place);
      }
      expect(log.map(({ message }) => message).sort()).toEqual([
        registration('https://app.example/a'),
        registration('https://app.example/deep/b'),
      ]);
    },
  );

  it('work with one at the root and one below', async () => {
    const below = { ...options({ database: databaseB.options }), isGlobal: false };
    const root = OneIdLogoutModule.forRoot(options());
    const app = await boot({
      imports: [root, OneB.forRoot(below), RouterModule.register([{ path: 'below', module: OneB }]), FeatureModule],
    });
    const atBoot = log.splice(0);
    await expectWorking(app, root);
    expect(await statusAt(app, '/below/logout/callback')).toBe(303);
    expect(atBoot).toEqual([
      { level: 'log', message: registration('https://app.example') },
      {
        level: 'warn',
        message: `The postLogoutRedirectUri of ${clientId} does not lead to /below/logout/callback, so the library will not see when the browser comes back after a logout. Correct the option`,
      },
      {
        level: 'log',
        message: registration('https://app.example', '/below').replace('/below/logout/callback', '/logout/callback'),
      },
    ]);
  });
});

describe('at boot the module warns', () => {
  const warnings = async (changes: Partial<OneIdLogoutOptions>) => {
    await boot({ imports: [OneIdLogoutModule.forRoot(options(changes))] });
    return log.filter(({ level }) => level === 'warn').map(({ message }) => message);
  };

  it('about nothing when the settings are complete', async () => {
    expect(await warnings({})).toEqual([]);
    expect(await warnings({ liveness: { maxStalenessMs: 4_000 } })).toEqual([]);
    expect(await warnings({ liveness: { maxStalenessMs: 60_000, answerAtOnce: true } })).toEqual([]);
  });

  it('about a version of Node without security fixes, once', async () => {
    await warnings({});
    expect(nodeNotices).toEqual([nodeNotice() ?? []].flat());
  });

  it('when there are no secrets', async () => {
    expect(await warnings({ secrets: [] })).toEqual([
      'Without the option secrets the library stores no tokens: after a logout, OneID sends the user back only if start() ' +
        'gets the ID token, and refresh tokens are not revoked.',
    ]);
  });

  it('P10: when a client allows http outside loopback, once for each provider', async () => {
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const client = { issuer: 'http://keycloak:8080/realms/x', postLogoutRedirectUri, allowInsecureRequests: true };
    const clients = [
      { ...client, clientId: 'one' },
      { ...client, clientId: 'two' },
      { issuer: 'http://dex.localhost/', clientId: 'three', postLogoutRedirectUri },
    ];
    expect(await warnings({ clients })).toEqual([
      'allowInsecureRequests is set for http://keycloak:8080/realms/x: a person who can change traffic between this app and ' +
        'the provider can sign in as any user. Use it only inside a network that you trust, and https as soon as you can.',
    ]);
  });

  it('when OneID may not wait long enough for its 200', async () => {
    expect(await warnings({ liveness: { maxStalenessMs: 500, allowDuringOutageMs: 60_000 } })).toEqual([
      'OneID has to wait 60500 ms for every 200 (liveness.maxStalenessMs + allowDuringOutageMs). If OneID waits less, ' +
        'it counts each logout as not delivered, although the library has recorded it. Keycloak and Hydra up to v1.9 ' +
        'wait five seconds. Lower these options, or set answerAtOnce.',
    ]);
  });
});

const flags =
  'and set backchannel_logout_session_required and frontchannel_logout_session_required to true, so that OneID names ' +
  'the login that has ended';

/** The log entry of one client whose routes are under this public URL. */
function registration(base: string, path = ''): string {
  return [
    'Register these URIs at OneID, character for character:',
    `  client_id                 ${clientId}`,
    `  backchannel_logout_uri    ${base}${path}/backchannel_logout`,
    `  frontchannel_logout_uri   ${base}${path}/frontchannel_logout`,
    `  post_logout_redirect_uris ${base}${path}/logout/callback`,
    flags,
  ].join('\n');
}

describe.each(['express', 'fastify'] as const)('the entry in the log at boot, on %s', (adapter) => {
  const prefixed = (app: INestApplication) => void app.setGlobalPrefix('api');
  const versioned = (app: INestApplication) =>
    void app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  const routed = RouterModule.register([{ path: 'sso/oneid', module: OneIdLogoutModule }]);

  it.each<[string, string, (app: INestApplication) => void, ModuleMetadata['imports'], string]>([
    ['no prefix', 'https://app.example', () => undefined, [], ''],
    ['a port', 'https://app.example:8443', () => undefined, [], ''],
    ['a global prefix', 'https://app.example/api', prefixed, [], '/api'],
    ['a path of RouterModule', 'https://app.example/sso/oneid', () => undefined, [routed], '/sso/oneid'],
    ['URI versioning', 'https://app.example', versioned, [], ''],
    ["a proxy's prefix", 'https://app.example/proxy/shop', () => undefined, [], ''],
    [
      'all of them',
      'https://app.example/proxy/api/sso/oneid',
      (app) => {
        prefixed(app);
        versioned(app);
      },
      [routed],
      '/api/sso/oneid',
    ],
    [
      "a global prefix that excludes the library's routes",
      'https://app.example',
      (app) =>
        void app.setGlobalPrefix('api', { exclude: ['backchannel_logout', 'frontchannel_logout', 'logout/callback'] }),
      [],
      '',
    ],
  ])('lists the exact URIs with %s', async (_what, base, configure, imports = [], path) => {
    const clients = [{ issuer: oneId.issuer, clientId, postLogoutRedirectUri: `${base}/logout/callback` }];
    const app = await boot(
      { imports: [OneIdLogoutModule.forRoot(options({ clients })), ...imports] },
      { adapter, configure },
    );
    expect(log).toEqual([{ level: 'log', message: registration(base) }]);
    // the routes exist at the paths in the log
    expect(await statusAt(app, `${path}/logout/callback`)).toBe(303);
    expect(await statusAt(app, `${path}/frontchannel_logout`)).toBe(200);
  });

  it('P39: lists every client with the flags that make OneID name the login, and repeats its postLogoutRedirectUri character for character', async () => {
    const clients = ['one', 'two'].map((name) => ({
      issuer: oneId.issuer,
      clientId: name,
      postLogoutRedirectUri: `https://${name}.example/logout/callback?Z=1&a=%2f`,
    }));
    await boot({ imports: [OneIdLogoutModule.forRoot(options({ clients }))] }, { adapter });
    expect(log).toEqual([
      {
        level: 'log',
        message: `Register these URIs at OneID, character for character:
  client_id                 one
  backchannel_logout_uri    https://one.example/backchannel_logout
  frontchannel_logout_uri   https://one.example/frontchannel_logout
  post_logout_redirect_uris https://one.example/logout/callback?Z=1&a=%2f
  client_id                 two
  backchannel_logout_uri    https://two.example/backchannel_logout
  frontchannel_logout_uri   https://two.example/frontchannel_logout
  post_logout_redirect_uris https://two.example/logout/callback?Z=1&a=%2f
${flags}`,
      },
    ]);
  });

  it.each([
    'https://app.example/',
    'https://app.example/logout/callback/',
    'https://app.example/logout',
    'https://app.example/logout/callbacks',
  ])("warns when postLogoutRedirectUri is %s, which is not the library's callback", async (postLogoutRedirectUri) => {
    const clients = [{ issuer: oneId.issuer, clientId, postLogoutRedirectUri }];
    await boot({ imports: [OneIdLogoutModule.forRoot(options({ clients }))] }, { adapter });
    expect(log).toEqual([
      {
        level: 'warn',
        message: `The postLogoutRedirectUri of ${clientId} does not lead to /logout/callback, so the library will not see when the browser comes back after a logout. Correct the option`,
      },
      {
        level: 'log',
        message: registration('https://app.example').replace(
          'https://app.example/logout/callback',
          postLogoutRedirectUri,
        ),
      },
    ]);
  });
});

describe('the life of an app', () => {
  it('closes everything that it has opened, and boots again on the same file', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const first = await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] });
    const session = await register(first);
    const { dataSource } = first.get(SessionDatabase, { strict: false });
    await first.close();
    expect(dataSource.isInitialized).toBe(false);
    // fetch used timers during the sign-in, and they end a little later
    await until('no timer is left', () => timers() <= before);

    const second = await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] });
    expect(await statusAt(second, '/me', session)).toBe(200);
    await second.get(SessionRegistry).end(tokenHashOf(session));
    await second.close();
    const third = await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] });
    expect(await statusAt(third, '/me', session)).toBe(401);
    await third.close();
    await rm(String(database.options.database));
  });

  it('boots while OneID is down, checks sessions, and accepts sign-ins when OneID is back', async () => {
    const session = await register(await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] }));
    oneId.fail('*', { reset: true });
    try {
      const app = await boot({ imports: [OneIdLogoutModule.forRoot(options()), FeatureModule] });
      expect(await statusAt(app, '/me', session)).toBe(200);
      expect(await statusAt(app, '/me', '0'.repeat(64))).toBe(401);
      expect(await statusAt(app, '/logout/callback')).toBe(303);
      await expect(register(app)).rejects.toMatchObject({ code: 'provider_unavailable' });
      const login = oneId.signIn();
      const token = await oneId.logoutToken({ clientId, login });
      const { attempts } = await oneId.deliver(`${await app.getUrl()}/backchannel_logout`, token, { attempts: 1 });
      expect(attempts[0]).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
      await app.get(SessionRegistry).end(tokenHashOf(session));
      expect(await statusAt(app, '/me', session)).toBe(401);
    } finally {
      oneId.heal();
    }
  });
});
