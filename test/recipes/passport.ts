import { Controller, type ExecutionContext, Get, Header, Injectable, Module } from '@nestjs/common';
import { Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type Request, type Response } from 'express';
import expressSession from 'express-session';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromUser, SessionRegistry } from 'nestjs-oneid-logout';
import { ClientSecretBasic, discovery, randomNonce, randomState } from 'openid-client';
import { type AuthenticateOptions, Strategy } from 'openid-client/passport';
import passport from 'passport';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;

const oneId = await discovery(new URL(issuer), clientId, {}, ClientSecretBasic(clientSecret));
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;
const secrets = APP_SECRETS.split(',');

@Injectable()
export class OneIdStrategy extends PassportStrategy(Strategy, 'oneid') {
  constructor(private readonly sessions: SessionRegistry) {
    super({ config: oneId, callbackURL: `${baseUrl}/login/callback`, scope: 'openid', passReqToCallback: true });
  }

  /** OneID needs a `state`; the strategy sends none to a provider that supports PKCE. */
  override authorizationRequestParams(req: Request, options: AuthenticateOptions) {
    const parameters = new URLSearchParams(super.authorizationRequestParams(req, options));
    return { ...Object.fromEntries(parameters), state: randomState(), nonce: randomNonce() };
  }

  async validate(req: Request & { user?: { sessionToken: string } }, tokens: { id_token?: string }) {
    const replaces = req.user?.sessionToken;
    const { sessionToken } = await this.sessions.register({ idToken: tokens.id_token ?? '', replaces });
    return { sessionToken };
  }
}

@Injectable()
export class SignInGuard extends AuthGuard('oneid') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    // stores the user in the cookie's session, which gets a new id
    await this.logIn(context.switchToHttp().getRequest<Request>());
    return true;
  }
}

@Controller()
export class AppController {
  constructor(private readonly logout: LogoutService) {}

  @Get()
  home(): string {
    return '<a href="/login">Sign in</a> <form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get(['login', 'login/callback'])
  @UseGuards(SignInGuard)
  signedIn(@Res() res: Response): void {
    res.redirect('/me');
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
      sessionFrom: sessionFromUser('sessionToken'),
      clearCookies: [{ name: '__Host-app', ...cookie }],
    }),
  ],
  controllers: [AppController],
  providers: [OneIdStrategy],
})
export class AppModule {}

passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user: Express.User, done) => done(null, user));

export const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.set('trust proxy', 1); // TLS ends at the proxy: without this line the app sets no Secure cookie
app.use(expressSession({ name: '__Host-app', secret: secrets, resave: false, saveUninitialized: false, cookie }));
app.use(passport.session());
await app.listen(PORT);
