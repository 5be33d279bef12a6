import { setImmediate as endOfTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  type INestApplication,
  Inject,
  Injectable,
  type ModuleMetadata,
  Scope,
  ServiceUnavailableException,
  SetMetadata,
  type Type,
  UnauthorizedException,
  VersioningType,
} from '@nestjs/common';
import { APP_GUARD, Reflector, REQUEST, RouterModule } from '@nestjs/core';
import { GqlExecutionContext } from '@nestjs/graphql';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule, ThrottlerStorage } from './support/throttler.js';
import { OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { of, throwError } from 'rxjs';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { Boots, optionsFor } from './support/boot.js';

const boots = new Boots();
afterEach(() => boots.close());

const options = () => optionsFor('https://oneid.example/');
const Public = () => SetMetadata('isPublic', true);

/** What many apps have: all routes need a token, but those with `@Public()`. */
@Injectable()
class TokenGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const open = this.reflector.getAllAndOverride<boolean>('isPublic', [context.getHandler(), context.getClass()]);
    if (open) return true;
    const { authorization } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>().headers;
    if (authorization === undefined) throw new UnauthorizedException();
    return true;
  }
}

const guarding = (useClass: Type<CanActivate>) => ({ provide: APP_GUARD, useClass });

/** The sentence about a guard that refuses all routes. */
function refusal(guard: string, status: number, prefix = ''): string {
  const routes = ['POST /backchannel_logout', 'GET /frontchannel_logout', 'GET /logout/callback']
    .map((route) => `${route.replace('/', `${prefix}/`)} (${status})`)
    .join(', ');
  return (
    `${guard}, a global guard, refuses the requests that OneID, or a browser that OneID sends, makes to ${routes}. They ` +
    `do not reach the module, so logouts are lost. Put your decorator that opens a route for ${guard} beside the module's ` +
    'options, for example routeDecorators: [Public()].'
  );
}

async function statuses(app: INestApplication, prefix = ''): Promise<number[]> {
  const url = (await app.getUrl()) + prefix;
  const answers = [
    await fetch(`${url}/backchannel_logout`, { method: 'POST' }),
    await fetch(`${url}/frontchannel_logout`),
    await fetch(`${url}/logout/callback`, { redirect: 'manual' }),
  ];
  return answers.map(({ status }) => status);
}

describe.each(['express', 'fastify'] as const)('A8: a global guard, on %s', (adapter) => {
  const start = (metadata: ModuleMetadata, module = OneIdLogoutModule.forRoot(options())) =>
    boots.start({ ...metadata, imports: [module, ...(metadata.imports ?? [])] }, { adapter });

  it('A8: is named with the routes that it refuses, and what OneID gets', async () => {
    const { app, warnings } = await start({ providers: [guarding(TokenGuard)] });
    expect(warnings).toEqual([refusal('TokenGuard', 401)]);
    expect(await statuses(app)).toEqual([401, 401, 401]);
  });

  it('A8: is not named when routeDecorators open the routes', async () => {
    const module = OneIdLogoutModule.forRoot({ ...options(), routeDecorators: [Public()] });
    const { app, warnings } = await start({ providers: [guarding(TokenGuard)] }, module);
    expect(warnings).toEqual([]);
    expect(await statuses(app)).toEqual([400, 200, 303]);
  });

  it.each<[string, () => unknown, number]>([
    ['false', () => false, 403],
    ['a promise of false', () => Promise.resolve(false), 403],
    ['an observable of false', () => of(false), 403],
    ['an observable that throws', () => throwError(() => new ForbiddenException()), 403],
    ['a rejected promise', () => Promise.reject(new UnauthorizedException()), 401],
  ])('A8: is named when it answers %s', async (_how, answer, status) => {
    class Refusing implements CanActivate {
      canActivate = () => answer() as boolean;
    }
    const { app, warnings } = await start({ providers: [guarding(Refusing)] });
    expect(warnings).toEqual([refusal('Refusing', status)]);
    expect(await statuses(app)).toEqual([status, status, status]);
  });

  it('A8: of useGlobalGuards is named, also in an app that never listens', async () => {
    class Closed implements CanActivate {
      canActivate = () => false;
    }
    const configure = (app: INestApplication) => void app.useGlobalGuards(new Closed());
    const imports = [OneIdLogoutModule.forRoot(options())];
    const { warnings } = await boots.start({ imports }, { adapter, configure, listens: false });
    expect(warnings).toEqual([refusal('Closed', 403)]);
  });

  it('A8: that Nest makes anew for each request is named, and gets the request', async () => {
    const asked: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest implements CanActivate {
      constructor(@Inject(REQUEST) private readonly request: { url: string }) {}

      canActivate(): boolean {
        asked.push(this.request.url);
        return false;
      }
    }
    const { app, warnings } = await start({ providers: [guarding(PerRequest)] });
    expect(warnings).toEqual([refusal('PerRequest', 403)]);
    expect(asked).toEqual([
      '/backchannel_logout',
      '/frontchannel_logout?iss=stand-in&sid=stand-in',
      '/logout/callback?state=stand-in',
    ]);
    expect(await statuses(app)).toEqual([403, 403, 403]);
  });

  it('A8: of passport is named', async () => {
    @Injectable()
    class JwtStrategy extends PassportStrategy(Strategy) {
      constructor() {
        super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: 'a key' });
      }

      validate = (claims: unknown) => claims;
    }
    class JwtAuthGuard extends AuthGuard('jwt') {}
    const { app, warnings } = await start({
      imports: [PassportModule],
      providers: [JwtStrategy, guarding(JwtAuthGuard)],
    });
    expect(warnings).toEqual([refusal('JwtAuthGuard', 401)]);
    expect(await statuses(app)).toEqual([401, 401, 401]);
  });

  it('A8: that looks for a session is named', async () => {
    class SignedIn implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        return context.switchToHttp().getRequest<{ isAuthenticated(): boolean }>().isAuthenticated();
      }
    }
    expect((await start({ providers: [guarding(SignedIn)] })).warnings).toEqual([refusal('SignedIn', 403)]);
  });

  it('A8: is named with the prefix of the app and the path of RouterModule, with each of two guards', async () => {
    class Closed implements CanActivate {
      canActivate = () => false;
    }
    const configure = (app: INestApplication) => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    };
    const [client] = options().clients;
    const postLogoutRedirectUri = 'https://app.example/api/sso/logout/callback';
    const module = OneIdLogoutModule.forRoot(
      optionsFor('https://oneid.example/', {
        clients: [{ issuer: 'https://oneid.example/', clientId: 'app', ...client, postLogoutRedirectUri }],
      }),
    );
    const imports = [module, RouterModule.register([{ path: 'sso', module: OneIdLogoutModule }])];
    const providers = [guarding(TokenGuard), guarding(Closed)];
    const { app, warnings } = await boots.start({ imports, providers }, { adapter, configure });
    expect(warnings).toEqual([refusal('TokenGuard', 401, '/api/sso'), refusal('Closed', 403, '/api/sso')]);
    expect(await statuses(app, '/api/sso')).toEqual([401, 401, 401]);
  });

  it.each<[string, (reply: Reply) => unknown, number]>([
    ['redirects, and gives no verdict, as strategies of passport do', (reply) => redirect(reply), 302],
    ['redirects, and answers false', (reply) => (reply.redirect('/login'), false), 302],
    ['sends an answer of its own', (reply) => (reply.status(401).send({ error: 'who?' }), false), 401],
  ])('A8: is named when it %s', async (_how, answer, status) => {
    class Answering implements CanActivate {
      canActivate = (context: ExecutionContext) => answer(context.switchToHttp().getResponse<Reply>()) as boolean;
    }
    const { app, warnings } = await start({ providers: [guarding(Answering)] });
    expect(warnings).toEqual([refusal('Answering', status)]);
    const { status: real } = await fetch(`${await app.getUrl()}/backchannel_logout`, {
      method: 'POST',
      redirect: 'manual',
    });
    expect(real).toBe(status);
  });

  it('A8: that answers itself is named alone: the next guard is asked anew', async () => {
    class Answering implements CanActivate {
      canActivate = (context: ExecutionContext) => redirect(context.switchToHttp().getResponse<Reply>());
    }
    class Open implements CanActivate {
      canActivate = () => true;
    }
    const { warnings } = await start({ providers: [guarding(Answering), guarding(Open)] });
    expect(warnings).toEqual([refusal('Answering', 302)]);
  });

  it('A8: that logs the refused request is named', async () => {
    class Logging implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { log, id } = context.switchToHttp().getRequest<{ log?: { warn(line: string): void }; id?: string }>();
        if (adapter === 'fastify') log?.warn(`refused ${String(id?.length)}`);
        return adapter === 'fastify' && log === undefined;
      }
    }
    expect((await start({ providers: [guarding(Logging)] })).warnings).toEqual([refusal('Logging', 403)]);
  });

  const harmless: [string, (context: ExecutionContext) => unknown, number][] = [
    ['lets each request through', () => true, 400],
    ['reads the path', (context) => /^\/(backchannel_logout|frontchannel_logout|logout)/.test(urlOf(context)), 400],
    ['reads the address of the caller', (context) => requestOf(context).ip === '203.0.113.9', 403],
    ['reads the header of a proxy', (context) => requestOf(context).headers['x-forwarded-for'] === 'a', 403],
    ['asks whether a header of a proxy is there', (context) => 'x-real-ip' in requestOf(context).headers, 403],
    ['asks whether middleware has put something on the request', (context) => 'tenant' in requestOf(context), 403],
    ['reads the socket', (context) => requestOf(context).socket.remoteAddress === '203.0.113.9', 403],
    ['fails with a TypeError', (context) => (requestOf(context) as never as { a: { b: boolean } }).a.b, 500],
    [
      'answers that the server fails',
      (context) => (context.switchToHttp().getResponse<Reply>().status(503).send({}), false),
      503,
    ],
    [
      'has no database yet',
      () => {
        throw new ServiceUnavailableException();
      },
      503,
    ],
  ];
  it.each(harmless)('A8: is not named when it %s', async (_how, canActivate, status) => {
    class Harmless implements CanActivate {
      canActivate = (context: ExecutionContext) => canActivate(context) as boolean;
    }
    const { app, warnings } = await start({ providers: [guarding(Harmless)] });
    expect(warnings).toEqual([]);
    expect((await statuses(app))[0]).toBe(status);
  });

  type Source = (request: TenantRequest) => { tenant?: string } | undefined;
  const ofRequest: [string, Source] = ['the request', (request) => request];
  const ofRawRequest: [string, Source] = ['the raw request', ({ raw }) => raw];

  // a request of Express has no other request below it
  it.each<[string, Source]>(adapter === 'fastify' ? [ofRequest, ofRawRequest] : [ofRequest])(
    'A8: is not named when it needs what middleware puts on %s',
    async (where, from) => {
      class TenantGuard implements CanActivate {
        canActivate = (context: ExecutionContext) =>
          from(context.switchToHttp().getRequest<TenantRequest>())?.tenant === 'shop';
      }
      const configure = (app: INestApplication) => {
        if (where === 'the request') setTenant(app, adapter);
        else app.use(tenant);
      };
      const imports = [OneIdLogoutModule.forRoot(options())];
      const { app, warnings } = await boots.start(
        { imports, providers: [guarding(TenantGuard)] },
        { adapter, configure },
      );
      expect(warnings).toEqual([]);
      expect(await statuses(app)).toEqual([400, 200, 303]);
    },
  );

  it.each(['user', 'session', 'auth'])('A8: is named when it needs request.%s, which OneID has not', async (name) => {
    class SignedIn implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { [name]: found } = context.switchToHttp().getRequest<Record<string, { id?: string } | undefined>>();
        return found?.id !== undefined;
      }
    }
    expect((await start({ providers: [guarding(SignedIn)] })).warnings).toEqual([refusal('SignedIn', 403)]);
  });

  it('A8: is named when it asks whether there is a user, which OneID has not', async () => {
    class SignedIn implements CanActivate {
      canActivate = (context: ExecutionContext) => 'user' in context.switchToHttp().getRequest<object>();
    }
    expect((await start({ providers: [guarding(SignedIn)] })).warnings).toEqual([refusal('SignedIn', 403)]);
  });

  it('A8: is named when it reads the host and the protocol, and then refuses', async () => {
    const seen = new Set<string>();
    class UrlGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { protocol, hostname, host } = context.switchToHttp().getRequest<Record<string, string>>();
        seen.add(`${protocol}://${hostname} ${host}`);
        return false;
      }
    }
    const { warnings } = await start({ providers: [guarding(UrlGuard)] });
    expect(warnings).toEqual([refusal('UrlGuard', 403)]);
    expect([...seen]).toEqual(['https://app.example app.example']);
  });

  it('A8: is not named when it wants a logout token', async () => {
    class WithToken implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { method, body } = requestOf(context);
        return method === 'GET' || Boolean((body as { logout_token?: string } | undefined)?.logout_token);
      }
    }
    expect((await start({ providers: [guarding(WithToken)] })).warnings).toEqual([]);
  });

  it('A8: of a GraphQL app gets the arguments that Nest gives it', async () => {
    const seen: unknown[] = [];
    class GraphQlGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const response = GqlExecutionContext.create(context).getContext<{ req?: { headers: object } }>();
        seen.push([context.getArgs<unknown[]>().map((one) => typeof one), typeof response.req?.headers]);
        if (response.req?.headers === undefined) throw new TypeError('no request');
        throw new UnauthorizedException();
      }
    }
    const { app, warnings } = await start({ providers: [guarding(GraphQlGuard)] });
    // Fastify's reply has no `req`, so there the guard fails: the app is broken in all of its routes
    expect(warnings).toEqual(adapter === 'express' ? [refusal('GraphQlGuard', 401)] : []);
    const status = adapter === 'express' ? 401 : 500;
    expect(await statuses(app)).toEqual([status, status, status]);
    expect(seen.slice(3)).toEqual(seen.slice(0, 3));
  });

  it('A8: that never answers does not hold the boot, and the guards before it are named', async () => {
    class Endless implements CanActivate {
      canActivate = () => new Promise<boolean>(() => undefined);
    }
    const { warnings } = await start({ providers: [guarding(TokenGuard), guarding(Endless)] });
    expect(warnings).toEqual([refusal('TokenGuard', 401).replace(/, GET \/front.* \(401\)\./, '.')]);
  });

  it('A8: is not asked any more when the boot has gone on', async () => {
    const asked: string[] = [];
    const answers: ((verdict: boolean) => void)[] = [];
    class Slow implements CanActivate {
      canActivate(context: ExecutionContext): Promise<boolean> {
        asked.push(urlOf(context));
        return new Promise((resolve) => answers.push(resolve));
      }
    }
    const imports = [OneIdLogoutModule.forRoot(options())];
    const { warnings } = await boots.start({ imports, providers: [guarding(Slow)] }, { adapter, listens: false });
    answers.forEach((answer) => answer(false));
    await endOfTurn();
    expect([asked, warnings]).toEqual([['/backchannel_logout'], []]);
  });

  it('A8: of an odd shape does not stop the boot', async () => {
    const odd = Object.assign(Object.create(null) as object, { canActivate: () => true });
    const configure = (app: INestApplication) => void app.useGlobalGuards(odd);
    const { app } = await boots.start({ imports: [OneIdLogoutModule.forRoot(options())] }, { adapter, configure });
    expect(await statuses(app)).toEqual([400, 200, 303]);
  });

  it('A8: the guard of this library is not named', async () => {
    const { app, warnings } = await start({ providers: [{ provide: APP_GUARD, useExisting: SessionAliveGuard }] });
    expect(warnings).toEqual([]);
    expect(await statuses(app)).toEqual([400, 200, 303]);
  });

  it('A8: sees a request like the one of OneID, and the route records nothing', async () => {
    const seen: unknown[] = [];
    class Looking implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { method, originalUrl, headers, body } = requestOf(context);
        seen.push([method, originalUrl, headers['content-type'], headers['host'], body, context.getClass().name]);
        context.switchToHttp().getResponse<{ header(name: string, value: string): void }>().header('x-seen', '1');
        return true;
      }
    }
    const { app } = await start({ providers: [guarding(Looking)] });
    expect(seen).toEqual([
      [
        ...[
          'POST',
          '/backchannel_logout',
          'application/x-www-form-urlencoded',
          'app.example',
          { logout_token: 'stand-in' },
        ],
        'LogoutChannelsController',
      ],
      [
        'GET',
        '/frontchannel_logout?iss=stand-in&sid=stand-in',
        undefined,
        'app.example',
        undefined,
        'LogoutChannelsController',
      ],
      ['GET', '/logout/callback?state=stand-in', undefined, 'app.example', undefined, 'LogoutCallbackController'],
    ]);
    const { rows } = await app.get(SessionDatabase, { strict: false }).run('SELECT * FROM oneid_logout');
    expect(rows).toEqual([]);
  });
});

interface Reply {
  redirect(url: string): unknown;
  status(code: number): { send(body: object): unknown };
}

function redirect(reply: Reply): Promise<boolean> {
  reply.redirect('/login');
  return new Promise(() => undefined);
}

interface TenantRequest {
  tenant?: string;
  readonly raw?: { tenant?: string };
}

interface Hooks {
  decorateRequest(name: string, value: undefined): void;
  addHook(name: 'onRequest', hook: (request: TenantRequest, reply: unknown, done: () => void) => void): void;
}

function tenant(request: { tenant?: string }, _response: unknown, next: () => void): void {
  request.tenant = 'shop';
  next();
}

/** Sets `tenant` on each request, as middleware of Express and a hook of Fastify do. */
function setTenant(app: INestApplication, adapter: 'express' | 'fastify'): void {
  if (adapter === 'express') {
    app.use(tenant);
    return;
  }
  const server = app.getHttpAdapter().getInstance() as Hooks;
  server.decorateRequest('tenant', undefined);
  server.addHook('onRequest', tenant);
}

interface AnyRequest {
  readonly method: string;
  readonly originalUrl: string;
  readonly body: unknown;
  readonly headers: Record<string, unknown>;
  readonly ip: unknown;
  readonly socket: { readonly remoteAddress: unknown };
}

function requestOf(context: ExecutionContext): AnyRequest {
  return context.switchToHttp().getRequest<AnyRequest>();
}

function urlOf(context: ExecutionContext): string {
  return context.switchToHttp().getRequest<{ url: string }>().url;
}

describe.each(['express', 'fastify'] as const)('A8: a global throttler, on %s', (adapter) => {
  const throttled = (throttlers: Parameters<typeof ThrottlerModule.forRoot>[0], extras = {}) =>
    boots.start(
      {
        imports: [OneIdLogoutModule.forRoot({ ...options(), ...extras }), ThrottlerModule.forRoot(throttlers)],
        providers: [guarding(ThrottlerGuard)],
      },
      { adapter },
    );
  const sentence = (limits: string, skip: string) =>
    `ThrottlerGuard, a global guard, answers 429 to POST /backchannel_logout after ${limits}. OneID sends the logouts of ` +
    `all users from few addresses, so some logouts would be lost. Put routeDecorators: [${skip}] beside the module's options.`;

  it('A8: is named with its limit, and counts nothing at boot', async () => {
    const { app, warnings } = await throttled([{ ttl: 60_000, limit: 1 }]);
    expect(warnings).toEqual([sentence('1 requests in 60000 ms', 'SkipThrottle()')]);
    expect(app.get<{ storage: Map<string, unknown> }>(ThrottlerStorage).storage.size).toBe(0);
    expect(await statuses(app)).toEqual([400, 200, 303]);
    expect(await statuses(app)).toEqual([429, 429, 429]);
  });

  it('A8: with names is named with each of them', async () => {
    const { warnings } = await throttled([
      { name: 'short', ttl: 1_000, limit: 3 },
      { name: 'a-long', ttl: 60_000, limit: () => 100 },
    ]);
    expect(warnings).toEqual([
      sentence(
        '3 requests in 1000 ms, and after 100 requests in 60000 ms',
        'SkipThrottle({ short: true, "a-long": true })',
      ),
    ]);
  });

  it.each<[string, Parameters<typeof ThrottlerModule.forRoot>[0], object]>([
    ['routeDecorators skip it', [{ ttl: 60_000, limit: 1 }], { routeDecorators: [SkipThrottle()] }],
    [
      'routeDecorators skip it by its name',
      [{ name: 'short', ttl: 60_000, limit: 1 }],
      { routeDecorators: [SkipThrottle({ short: true })] },
    ],
    [
      'it skips the path',
      [{ ttl: 60_000, limit: 1, skipIf: (context) => urlOf(context) === '/backchannel_logout' }],
      {},
    ],
  ])('A8: is not named when %s', async (_how, throttlers, extras) => {
    const { app, warnings } = await throttled(throttlers, extras);
    expect(warnings).toEqual([]);
    await statuses(app);
    expect((await statuses(app))[0]).toBe(400);
  });

  it('A8: of an own class below ThrottlerGuard is named', async () => {
    @Injectable()
    class UserThrottler extends ThrottlerGuard {
      protected override shouldSkip = (context: ExecutionContext) => Promise.resolve(urlOf(context) === '/health');
    }
    const { warnings } = await boots.start(
      {
        imports: [OneIdLogoutModule.forRoot(options()), ThrottlerModule.forRoot([{ ttl: 1_000, limit: 5 }])],
        providers: [guarding(UserThrottler)],
      },
      { adapter },
    );
    expect(warnings).toEqual([
      sentence('5 requests in 1000 ms', 'SkipThrottle()').replace('ThrottlerGuard', 'UserThrottler'),
    ]);
  });
});

describe('A8: two registrations', () => {
  class Second extends OneIdLogoutModule {}

  it('A8: each speaks of its own routes', async () => {
    const uri = 'https://app.example/second/logout/callback';
    const [client] = options().clients;
    const second = Second.forRoot({
      ...optionsFor('https://oneid.example/', { clients: client ? [{ ...client, postLogoutRedirectUri: uri }] : [] }),
      isGlobal: false,
    });
    const first = OneIdLogoutModule.forRoot({ ...options(), routeDecorators: [Public()] });
    const { warnings } = await boots.start({
      imports: [first, second, RouterModule.register([{ path: 'second', module: Second }])],
      providers: [guarding(TokenGuard)],
    });
    expect(warnings).toEqual([refusal('TokenGuard', 401, '/second')]);
  });
});
