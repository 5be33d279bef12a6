import { afterEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Get,
  HttpException,
  type INestApplication,
  Module,
  type NestInterceptor,
  type PipeTransform,
  Post,
  Req,
  SetMetadata,
  type Type,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  HttpAdapterHost,
  Reflector,
  RouterModule,
} from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import compression from 'compression';
import helmet from 'helmet';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { OneIdLogoutModule, SessionRegistry, sessionFromCookie } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { map, type Observable } from 'rxjs';
import { type ChannelAnswer, delivered, form, refused, answerOf } from './support/channel-requests.js';
import { clientId } from './support/host.js';
import { suiteKey } from './support/suite-key.js';

type AdapterName = 'express' | 'fastify';
const adapters: AdapterName[] = ['express', 'fastify'];

const PUBLIC = 'host:public';
/** The host's own decorator. */
const Public = () => SetMetadata(PUBLIC, true);

/** Rejects every route without the host's decorator; hosts read the decorator in different places. */
function guardReading(...where: ('handler' | 'class')[]): Type<CanActivate> {
  class HostGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const targets = { handler: context.getHandler(), class: context.getClass() };
      const found = where.map((name) => targets[name]);
      return new Reflector().getAllAndOverride<boolean | undefined>(PUBLIC, found) ?? false;
    }
  }
  return HostGuard;
}

/** Treats parameters without rules like ValidationPipe with whitelist, forbidNonWhitelisted and transform. */
class StrictPipe implements PipeTransform {
  transform(value: unknown): unknown {
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
      throw new BadRequestException(Object.keys(value).map((name) => `property ${name} should not exist`));
    }
    return value;
  }
}

const UNTHROTTLED = 'host:unthrottled';
const SkipThrottle = () => SetMetadata(UNTHROTTLED, true);

/** Lets one request through, or any number on the routes that the host exempts. */
class Throttler implements CanActivate {
  private left = 1;

  canActivate(context: ExecutionContext): boolean {
    if (new Reflector().getAllAndOverride(UNTHROTTLED, [context.getHandler(), context.getClass()])) return true;
    if (this.left-- > 0) return true;
    throw new HttpException('Too Many Requests', 429);
  }
}

class Wrapper implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ success: true, data })));
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: { switchToHttp(): { getResponse(): unknown } }): void {
    const { httpAdapter } = this.adapterHost;
    const status = (error as { getStatus?: () => number }).getStatus?.() ?? 500;
    httpAdapter.reply(host.switchToHttp().getResponse(), { success: false, by: 'the host' }, status);
  }
}

/** A route of the host, to check that the host's policies work. */
@Controller({ path: 'host', version: '1' })
class HostRoutes {
  @Get('closed')
  closed(): string {
    return 'closed';
  }

  @Get('page')
  @Public()
  page(): string {
    return 'page';
  }

  @Post('form')
  @Public()
  form(@Req() request: { body?: unknown }): unknown {
    return request.body ?? null;
  }
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Rejects every POST without a token, except on the paths that the host exempts. */
const csrf: Middleware = (request, _response, next) => {
  const exempt = request.url?.includes('/backchannel_logout') === true;
  next(request.method === 'POST' && !exempt ? new ForbiddenException('invalid csrf token') : undefined);
};

const forbid: Middleware = (_request, _response, next) => next(new ForbiddenException());

/** Changes headers and body, like `compression`. */
const compress: Middleware = (_request, response, next) => {
  const writeHead = response.writeHead.bind(response);
  const end = response.end.bind(response) as (chunk: Buffer) => ServerResponse;
  Object.assign(response, {
    writeHead(status: number, ...rest: unknown[]) {
      const headers = (rest.at(-1) ?? {}) as Record<string, string>;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.setHeader('Content-Encoding', 'gzip');
      response.removeHeader('Content-Length');
      return writeHead(status);
    },
    end(chunk?: unknown) {
      if (!response.headersSent) response.writeHead(response.statusCode);
      return end(gzipSync(typeof chunk === 'string' ? chunk : ''));
    },
  });
  next();
};

interface Settings {
  readonly adapter: AdapterName;
  readonly guard?: Type<CanActivate>;
  readonly path?: string;
  readonly nest?: { rawBody?: boolean; bodyParser?: boolean };
  readonly fastify?: { bodyLimit?: number };
  readonly policies?: boolean;
  /** Nest's own ValidationPipe, and a throttler that lets one request through. */
  readonly published?: boolean;
  readonly configure?: (app: INestApplication) => void;
}

class WorstHost {
  private constructor(
    readonly app: INestApplication,
    readonly oneId: OneIdTestProvider,
    readonly url: string,
    readonly log: readonly string[],
  ) {}

  static async start(settings: Settings): Promise<WorstHost> {
    const { adapter, path, policies = true, published = false } = settings;
    const oneId = await OneIdTestProvider.start({ signingKey: await suiteKey() });
    const postLogoutRedirectUri = 'https://app.example/logout/callback';

    @Module({
      imports: [
        OneIdLogoutModule.forRoot({
          clients: [{ issuer: oneId.issuer, clientId, postLogoutRedirectUri }],
          database: { type: 'better-sqlite3', database: ':memory:' },
          sessionFrom: sessionFromCookie('session'),
          routeDecorators: [Public(), SkipThrottle()],
        }),
        ...(path === undefined ? [] : [RouterModule.register([{ path, module: OneIdLogoutModule }])]),
      ],
      controllers: [HostRoutes],
      providers: policies
        ? [
            { provide: APP_GUARD, useClass: settings.guard ?? guardReading('handler', 'class') },
            ...(published ? [{ provide: APP_GUARD, useClass: Throttler }] : []),
            published
              ? {
                  provide: APP_PIPE,
                  useValue: new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }),
                }
              : { provide: APP_PIPE, useClass: StrictPipe },
            { provide: APP_INTERCEPTOR, useClass: Wrapper },
            { provide: APP_FILTER, useClass: CatchAll },
          ]
        : [],
    })
    class HostModule {}

    const testing = await Test.createTestingModule({ imports: [HostModule] }).compile();
    const app =
      adapter === 'fastify'
        ? testing.createNestApplication(new FastifyAdapter(settings.fastify ?? {}), settings.nest)
        : testing.createNestApplication<NestExpressApplication>(settings.nest);
    const log: string[] = [];
    const write = (message: unknown) => void log.push(String(message));
    app.useLogger({ log: write, warn: write, error: write });
    settings.configure?.(app);
    await app.listen(0, '127.0.0.1');
    return new WorstHost(app, oneId, await app.getUrl(), log);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.oneId.close();
  }

  async signIn() {
    const login = this.oneId.signIn();
    const idToken = await this.oneId.idToken({ clientId, login });
    return { login, session: await this.app.get(SessionRegistry).register({ idToken }) };
  }

  async post(body: string, { prefix = '', contentType = form } = {}): Promise<ChannelAnswer> {
    const headers = { 'Content-Type': contentType };
    return answerOf(await fetch(`${this.url}${prefix}/backchannel_logout`, { method: 'POST', headers, body }));
  }
}

let host: WorstHost;
afterEach(() => host.stop());

const htmlOf = (text: string) => `<!doctype html><meta charset="utf-8"><title>Logout</title><p>${text}</p>`;

/** Both adapters answer the same; Fastify also sends a content type for an empty body. */
const deliveredOn = (adapter: AdapterName): ChannelAnswer => ({
  ...delivered,
  contentType: adapter === 'fastify' ? 'text/plain; charset=utf-8' : null,
});

const unreadable = refused('logout_request_malformed', 'The app cannot read the request body');

/** All three routes, on good and on bad input. */
async function expectAllRoutes(adapter: AdapterName, prefix = ''): Promise<void> {
  const [one, two] = [await host.signIn(), await host.signIn()];
  const registry = host.app.get(SessionRegistry);
  const isAlive = (id: string) =>
    registry.refresh(id, {}).then(
      () => true,
      () => false,
    );

  const token = await host.oneId.logoutToken({ clientId, login: one.login });
  expect(await host.post(`unknown=x&logout_token=${token}`, { prefix })).toEqual(deliveredOn(adapter));
  expect(await isAlive(one.session.id)).toBe(false);
  expect(await host.post('logout_token=x', { prefix })).toEqual(
    refused('logout_token_malformed', 'the logout token is not a signed JWT'),
  );
  expect(await host.post(`logout_token=${token}&logout_token=${token}`, { prefix })).toEqual(
    refused('logout_request_malformed', 'logout_token is given more than once'),
  );
  expect(await host.post('{"logout_token":"x"}', { prefix, contentType: 'application/json' })).toEqual(
    refused('logout_request_malformed', 'The content type must be application/x-www-form-urlencoded'),
  );

  const query = new URLSearchParams({ iss: host.oneId.issuer, sid: two.login.sid, unknown: 'x' }).toString();
  const framed = await fetch(`${host.url}${prefix}/frontchannel_logout?${query}`);
  expect([framed.headers.get('content-security-policy'), framed.headers.get('x-frame-options')]).toEqual([
    `default-src 'none'; frame-ancestors ${new URL(host.oneId.issuer).origin}`,
    null,
  ]);
  expect(await answerOf(framed)).toEqual({
    status: 200,
    contentType: 'text/html; charset=utf-8',
    cacheControl: 'no-store',
    retryAfter: null,
    body: htmlOf('Logged out.'),
  });
  expect(await isAlive(two.session.id)).toBe(false);
  expect(await answerOf(await fetch(`${host.url}${prefix}/frontchannel_logout?iss=x`))).toMatchObject({
    status: 400,
    contentType: 'text/html; charset=utf-8',
    cacheControl: 'no-store',
  });

  for (const state of ['', '?state=unknown', '?state=a&state=b', '?unknown=x']) {
    const back = await fetch(`${host.url}${prefix}/logout/callback${state}`, { redirect: 'manual' });
    expect([back.status, back.headers.get('location'), back.headers.get('cache-control'), await back.text()]).toEqual([
      303,
      '/',
      'no-store',
      '',
    ]);
  }
}

describe.each(adapters)('a host with difficult settings, on %s', (adapter) => {
  it('control: works with the default settings', async () => {
    host = await WorstHost.start({ adapter, policies: false });

    await expectAllRoutes(adapter);
  });

  it.each([
    ['handler and class', guardReading('handler', 'class')],
    ['the handler only', guardReading('handler')],
    ['the class only', guardReading('class')],
  ])('works with a global pipe, wrapper and filter, and a guard that reads %s', async (_name, guard) => {
    host = await WorstHost.start({ adapter, guard });

    await expectAllRoutes(adapter);
    expect((await fetch(`${host.url}/host/closed`)).status).toBe(403);
  });

  it("works with Nest's own ValidationPipe, the package compression, and a throttler", async () => {
    // an Express middleware: Fastify has its own
    const configure = (app: INestApplication) => {
      if (adapter === 'express') app.use(compression({ threshold: 0 }));
    };
    host = await WorstHost.start({ adapter, published: true, configure });

    await expectAllRoutes(adapter);
    expect((await fetch(`${host.url}/host/page`)).status).toBe(200);
    expect((await fetch(`${host.url}/host/page`)).status).toBe(429);
  });

  it('works with helmet, compression and CSRF protection', async () => {
    host = await WorstHost.start({
      adapter,
      configure: (app) => {
        for (const middleware of [helmet(), compress, csrf]) app.use(middleware);
      },
    });

    await expectAllRoutes(adapter);
    expect((await fetch(`${host.url}/host/form`, { method: 'POST' })).status).toBe(403);
    const page = await fetch(`${host.url}/host/page`);
    expect([page.headers.get('content-encoding'), page.headers.get('x-frame-options')]).toEqual(['gzip', 'SAMEORIGIN']);
  });

  it('works with a global prefix, and with versions in the path', async () => {
    host = await WorstHost.start({
      adapter,
      configure: (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      },
    });

    await expectAllRoutes(adapter, '/api');
    expect((await fetch(`${host.url}/api/v1/host/page`)).status).toBe(200);
    expect(host.log.join('\n')).toContain('backchannel_logout_uri    https://app.example/api/backchannel_logout');
  });

  it.each([VersioningType.HEADER, VersioningType.MEDIA_TYPE])('works with versions of type %d', async (type) => {
    host = await WorstHost.start({
      adapter,
      configure: (app) => {
        if (type === VersioningType.HEADER) app.enableVersioning({ type, header: 'X-Version', defaultVersion: '1' });
        else app.enableVersioning({ type: VersioningType.MEDIA_TYPE, key: 'v=', defaultVersion: '1' });
      },
    });

    await expectAllRoutes(adapter);
  });

  it('works with a path of RouterModule under a global prefix', async () => {
    host = await WorstHost.start({ adapter, path: 'oneid', configure: (app) => void app.setGlobalPrefix('api') });

    await expectAllRoutes(adapter, '/api/oneid');
    expect((await host.post('{', { prefix: '/api/oneid', contentType: 'application/json' })).status).toBe(400);
  });

  it.each([{ rawBody: true }, { bodyParser: false }, { rawBody: true, bodyParser: false }])(
    'works with the Nest options %j',
    async (nest) => {
      host = await WorstHost.start({ adapter, nest });

      await expectAllRoutes(adapter);
    },
  );

  it('refuses a body that is too large when there is no body parser', async () => {
    host = await WorstHost.start({ adapter, nest: { bodyParser: false } });
    const tooLarge = refused('logout_request_malformed', 'The form is too large');

    expect(await host.post('x'.repeat(65 * 1024))).toEqual(tooLarge);
    expect(await host.post('x'.repeat(3_000_000))).toEqual(tooLarge);
    expect(await host.post('')).toEqual(refused('logout_token_missing', 'logout_token is missing'));
  });

  it("does not change the host's own forms when there is no body parser", async () => {
    host = await WorstHost.start({ adapter, nest: { bodyParser: false }, policies: false });
    const response = await fetch(`${host.url}/host/form`, {
      method: 'POST',
      headers: { 'Content-Type': form },
      body: 'a=1',
    });

    expect(response.status).toBe(adapter === 'fastify' ? 415 : 201);
  });

  describe("a body that the host's body parser cannot read", () => {
    const bodies: [string, string, string][] = [
      ['a form that is too large', form, `logout_token=${'x'.repeat(300_000)}`],
      ['JSON that is cut off', 'application/json', '{"logout_token":'],
      ['JSON that poisons', 'application/json', '{"__proto__":{"x":1}}'],
    ];
    const onlyExpress: [string, string, string][] = [
      ['an unknown charset', `${form}; charset=klingon`, 'logout_token=x'],
      ['too many fields', form, 'a=1&'.repeat(2000)],
    ];
    const onlyFastify: [string, string, string][] = [
      ['an unknown media type', 'application/xml', '<logout/>'],
      ['an empty JSON body', 'application/json', ''],
    ];

    it('gets 400 from the library, and not from the host', async () => {
      host = await WorstHost.start({
        adapter,
        fastify: { bodyLimit: 100_000 },
        configure: (app) => {
          if (adapter === 'express')
            (app as NestExpressApplication).useBodyParser('urlencoded', { limit: '100kb', extended: true });
        },
      });
      for (const [name, contentType, body] of [...bodies, ...(adapter === 'express' ? onlyExpress : onlyFastify)]) {
        const answered = await host.post(body, { contentType });
        // Express recognises a poisoned object: it is not a form
        const expected =
          adapter === 'express' && name === 'JSON that poisons'
            ? refused('logout_request_malformed', 'The content type must be application/x-www-form-urlencoded')
            : unreadable;
        expect([name, answered]).toEqual([name, expected]);
      }
    });

    it("gets the host's own answer on the host's routes", async () => {
      host = await WorstHost.start({ adapter });
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(`${host.url}/host/form`, { method: 'POST', headers, body: '{' });

      expect([response.status, await response.json()]).toEqual([400, { success: false, by: 'the host' }]);
    });

    it("errors of the host's middleware get the host's own answer, also on the library's routes", async () => {
      host = await WorstHost.start({
        adapter,
        configure: (app) => void app.use(forbid),
      });
      const response = await fetch(`${host.url}/backchannel_logout`, { method: 'POST' });

      expect([response.status, await response.json()]).toEqual([403, { success: false, by: 'the host' }]);
    });
  });

  it("the host's own global guard also protects the library's routes", async () => {
    host = await WorstHost.start({
      adapter,
      guard: class Never implements CanActivate {
        canActivate = () => false;
      },
    });

    expect((await host.post('logout_token=x')).status).toBe(403);
  });
});
