import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  type ModuleMetadata,
  type Type,
  UnauthorizedException,
  UseGuards,
  type VersioningOptions,
  VersioningType,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import {
  CurrentSession,
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  SessionAliveGuard,
  type SessionFacts,
  sessionFromClaims,
  sessionFromCookie,
  sessionFromUser,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { Boots, optionsFor } from './support/boot.js';
import { clientId } from './support/host.js';
import { suiteKey } from './support/suite-key.js';

let oneId: OneIdTestProvider;
const boots = new Boots();
beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ clients: [{ clientId }], signingKey: await suiteKey() });
});
afterEach(() => boots.close());
afterAll(() => oneId.close());

@Controller('plain')
class PlainController {
  @Get()
  plain(): string {
    return 'plain';
  }
}

const moduleWith = (changes: Partial<OneIdLogoutOptions> = {}) =>
  OneIdLogoutModule.forRoot(optionsFor(oneId.issuer, changes));

describe.each(['express', 'fastify'] as const)('A11: versions of the API, on %s', (adapter) => {
  const versionings: [string, VersioningOptions, Record<string, string>][] = [
    ['URI', { type: VersioningType.URI }, {}],
    ['header', { type: VersioningType.HEADER, header: 'x-version' }, { 'x-version': '7' }],
    ['media type', { type: VersioningType.MEDIA_TYPE, key: 'v=' }, { accept: 'application/json;v=7' }],
    [
      'custom',
      {
        type: VersioningType.CUSTOM,
        extractor: (request) => (request as { headers: Record<string, string> }).headers['x-version'] ?? '',
      },
      { 'x-version': '7' },
    ],
  ];
  const cases = versionings.flatMap(([name, options, headers]) =>
    [undefined, '1'].map((defaultVersion) => [name, defaultVersion, options, headers] as const),
  );

  it.each(cases)(
    'A11: %s, default version %s: the routes have none',
    async (_name, defaultVersion, options, headers) => {
      const configure = (app: INestApplication) =>
        void app.enableVersioning(defaultVersion === undefined ? options : { ...options, defaultVersion });
      const metadata = { imports: [moduleWith()], controllers: [PlainController] };
      const { app } = await boots.start(metadata, { adapter, configure });
      const url = await app.getUrl();
      const status = async (path: string, given = {}, method = 'GET') =>
        (await fetch(url + path, { method, headers: given, redirect: 'manual' })).status;

      for (const given of [{}, headers]) {
        expect(await status('/backchannel_logout', given, 'POST')).toBe(400);
        expect(await status('/frontchannel_logout', given)).toBe(200);
        expect(await status('/logout/callback', given)).toBe(303);
      }
      expect(await status('/v1/backchannel_logout', {}, 'POST')).toBe(404);
      // control: a route of the app has the version
      if (options.type === VersioningType.URI) {
        expect(await status('/v1/plain')).toBe(defaultVersion === undefined ? 404 : 200);
      }
    },
  );
});

/** Reads a token of the app's own, and puts its claims into `request.user`. */
@Injectable()
class JwtAuthGuard implements CanActivate {
  constructor(private readonly jwt: JwtService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<{ headers: { authorization?: string }; user?: unknown }>();
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    request.user = await this.jwt.verifyAsync<object>(token).catch(() => {
      throw new UnauthorizedException();
    });
    return true;
  }
}

@Controller()
class OrdersController {
  @Get('right')
  @UseGuards(JwtAuthGuard, SessionAliveGuard)
  right(@CurrentSession() session: SessionFacts) {
    return { of: session.sub };
  }

  @Get('wrong')
  @UseGuards(SessionAliveGuard, JwtAuthGuard)
  wrong(@CurrentSession() session: SessionFacts) {
    return { of: session.sub };
  }
}

@Controller()
class GlobalController {
  @Get('me')
  me(@CurrentSession() session: SessionFacts) {
    return { of: session.sub };
  }
}

describe('A11: the order with a JWT guard', () => {
  const jwt = JwtModule.register({ global: true, secret: 'the key of the app', signOptions: { expiresIn: 60 } });
  const start = (changes: Partial<OneIdLogoutOptions>, metadata: ModuleMetadata) =>
    boots.start({ ...metadata, imports: [moduleWith(changes), jwt] });

  async function signedIn(app: INestApplication) {
    const login = oneId.signIn();
    const { sessionToken } = await app.get(SessionRegistry).register({
      idToken: await oneId.idToken({ clientId, login }),
    });
    const { sub, sid } = login;
    const token = await app.get(JwtService).signAsync({ iss: oneId.issuer, sub, sid, sessionToken });
    const cookie = `session=${sessionToken}`;
    const get = async (path: string) => {
      const answer = await fetch((await app.getUrl()) + path, {
        headers: { authorization: `Bearer ${token}`, cookie },
      });
      return [answer.status, (await answer.json()) as object] as const;
    };
    return { sub, get };
  }

  const missing = {
    statusCode: 401,
    error: 'session_missing',
    message: 'The request carries no session',
    reason: 'missing',
  };

  it.each([
    ['sessionFromUser()', sessionFromUser()],
    ['sessionFromClaims()', sessionFromClaims()],
  ])('A11: %s needs the JWT guard first', async (_name, sessionFrom) => {
    const { app } = await start({ sessionFrom }, { controllers: [OrdersController] });
    const { sub, get } = await signedIn(app);
    expect(await get('/right')).toEqual([200, { of: sub }]);
    expect(await get('/wrong')).toEqual([401, missing]);
  });

  it('A11: sessionFromCookie() works in both orders', async () => {
    const { app } = await start({ sessionFrom: sessionFromCookie('session') }, { controllers: [OrdersController] });
    const { sub, get } = await signedIn(app);
    expect(await get('/right')).toEqual([200, { of: sub }]);
    expect(await get('/wrong')).toEqual([200, { of: sub }]);
  });

  it('A11: global guards run in the order in which the app provides them', async () => {
    const provide = (useClass: Type<CanActivate>) => ({ provide: APP_GUARD, useClass });
    const alive = { provide: APP_GUARD, useExisting: SessionAliveGuard };
    for (const [providers, status] of [
      [[provide(JwtAuthGuard), alive], 200],
      [[alive, provide(JwtAuthGuard)], 401],
    ] as const) {
      const metadata = { controllers: [GlobalController], providers: [...providers] };
      const { app } = await start({ sessionFrom: sessionFromUser() }, metadata);
      const { get } = await signedIn(app);
      expect((await get('/me'))[0]).toBe(status);
    }
  });
});

interface FastifyInstance {
  decorateRequest(name: string, value: unknown): void;
  addHook(name: 'onRequest', hook: (request: { cookies: unknown }, reply: unknown, done: () => void) => void): void;
}

describe('A11: sessionFromCookie() on Fastify', () => {
  /** What @fastify/cookie does with requests: it parses the header into `request.cookies`, and leaves the header. */
  const cookiePlugin = (app: INestApplication) => {
    const fastify = app.getHttpAdapter().getInstance() as FastifyInstance;
    fastify.decorateRequest('cookies', null);
    fastify.addHook('onRequest', (request, _reply, done) => {
      request.cookies = { session: 'what a plugin has parsed' };
      done();
    });
  };

  it.each([
    ['without a cookie plugin', () => undefined],
    ['with a cookie plugin', cookiePlugin],
  ])('A11: reads the header, %s', async (_how, configure) => {
    @Controller()
    class MeController {
      @Get('me')
      @UseGuards(SessionAliveGuard)
      me(@CurrentSession() session: SessionFacts) {
        return { of: session.sub };
      }
    }
    const metadata = { imports: [moduleWith()], controllers: [MeController] };
    const { app } = await boots.start(metadata, { adapter: 'fastify', configure });
    const login = oneId.signIn();
    const { sessionToken } = await app.get(SessionRegistry).register({
      idToken: await oneId.idToken({ clientId, login }),
    });
    const me = async (value: string) => {
      const answer = await fetch(`${await app.getUrl()}/me`, { headers: { cookie: `a=b; session=${value}` } });
      return [answer.status, (await answer.json()) as object];
    };
    expect(await me(sessionToken)).toEqual([200, { of: login.sub }]);
    // signed, as reply.setCookie(…, { signed: true }) writes it: the value, a dot and a signature
    expect(await me(`${sessionToken}.${encodeURIComponent('c2lnbmF0dXJl+/')}`)).toEqual([
      401,
      expect.objectContaining({ error: 'session_unknown' }),
    ]);
  });
});
