import { Controller, Get, Header, Inject, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { APIError } from 'better-auth/api';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import { genericOAuth } from 'better-auth/plugins';
import { type NextFunction, type Request, type Response } from 'express';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { SessionEndedError, type SessionFacts, sessionFromUser, SessionRegistry } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;

const secrets = APP_SECRETS.split(',');
const discoveryUrl = new URL('.well-known/openid-configuration', issuer).href;
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;
const tables = { user: [], session: [], account: [], verification: [] };

function createAuth(sessions: SessionRegistry) {
  return betterAuth({
    baseURL: baseUrl,
    secret: secrets[0] ?? '',
    database: memoryAdapter(tables), // your database
    plugins: [
      genericOAuth({
        config: [
          {
            ...{ providerId: 'oneid', discoveryUrl, clientId, clientSecret, authentication: 'basic' },
            ...{ scopes: ['openid'], pkce: true, requireIdTokenVerification: true, disableProviderLogout: true },
            // better-auth wants an email address of each user
            mapProfileToUser: ({ sub }) => ({ email: `${String(sub)}@users.invalid`, name: String(sub) }),
          },
        ],
      }),
    ],
    session: {
      additionalFields: { oneIdSession: { type: 'string', required: false, input: false } },
    },
    databaseHooks: {
      session: {
        create: {
          async before(session, context) {
            if (context === null) throw new Error('A session needs a sign-in');
            const { internalAdapter, authCookies, secret } = context.context;
            const accounts = await internalAdapter.findAccounts(session.userId);
            const account = accounts.find(({ providerId }) => providerId === 'oneid');
            const idToken = account?.idToken ?? ''; // already the token of this sign-in
            const before = await context.getSignedCookie(authCookies.sessionToken.name, secret);
            const old = typeof before === 'string' ? await internalAdapter.findSession(before) : null;
            const replaces = old?.session['oneIdSession'] as string | undefined;
            try {
              const { sessionToken } = await sessions.register({ idToken, replaces });
              return { data: { ...session, oneIdSession: sessionToken } };
            } catch (error) {
              if (!(error instanceof SessionEndedError)) throw error;
              throw new APIError('UNAUTHORIZED', { error: error.code, message: error.message });
            }
          },
        },
      },
    },
  });
}

type Auth = ReturnType<typeof createAuth>;
const AUTH = Symbol('better-auth');

@Controller()
export class AppController {
  constructor(
    @Inject(AUTH) private readonly auth: Auth,
    private readonly logout: LogoutService,
  ) {}

  @Get()
  home(): string {
    return '<a href="/login">Sign in</a> <form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get('login')
  async signIn(@Req() req: Request, @Res() res: Response): Promise<void> {
    const { headers, response } = await this.auth.api.signInSocial({
      body: { provider: 'oneid', callbackURL: '/me', errorCallbackURL: '/' },
      headers: fromNodeHeaders(req.headers),
      returnHeaders: true,
    });
    res.setHeader('Set-Cookie', headers.getSetCookie()).redirect(response.url ?? '/');
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Post('logout')
  startLogout(@Req() req: Request, @Res() res: Response): Promise<void> {
    return this.logout.respond(req, res, { returnTo: '/' });
  }
}

@Module({
  imports: [
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets,
      sessionFrom: sessionFromUser('oneIdSession'),
      clearCookies: [{ name: '__Secure-better-auth.session_token', ...cookie }],
    }),
  ],
  controllers: [AppController],
  providers: [{ provide: AUTH, inject: [SessionRegistry], useFactory: createAuth }],
})
export class AppModule {}

export const app = await NestFactory.create<NestExpressApplication>(AppModule);
const auth = app.get<Auth>(AUTH);
app.use('/api/auth', toNodeHandler(auth)); // before Nest's body parser, which would take the body away
app.use(async (req: Request & { user?: unknown }, _res: Response, next: NextFunction) => {
  req.user = (await auth.api.getSession({ headers: fromNodeHeaders(req.headers) }))?.session;
  next();
});
await app.listen(PORT);
