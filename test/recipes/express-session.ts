import { promisify } from 'node:util';
import { BadRequestException, Controller, Get, Header, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type Request, type Response } from 'express';
import expressSession from 'express-session';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromExpressSession, SessionRegistry } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;

const oneId = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret));
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;
const secrets = APP_SECRETS.split(',');

declare module 'express-session' {
  interface SessionData {
    signIn?: { readonly state: string; readonly nonce: string; readonly verifier: string };
    oneIdSession?: string;
  }
}

@Controller()
export class AppController {
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly logout: LogoutService,
  ) {}

  @Get()
  home(): string {
    return '<a href="/login">Sign in</a> <form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get('login')
  async signIn(@Req() req: Request, @Res() res: Response): Promise<void> {
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const page = oidc.buildAuthorizationUrl(oneId, {
      redirect_uri: `${baseUrl}/login/callback`,
      scope: 'openid',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    req.session.signIn = { state, nonce, verifier };
    res.redirect(page.href);
  }

  @Get('login/callback')
  async signedIn(@Req() req: Request, @Res() res: Response): Promise<void> {
    const { signIn, oneIdSession: replaces } = req.session;
    if (signIn === undefined) throw new BadRequestException('This sign-in was not started in this browser');
    const { state: expectedState, nonce, verifier: pkceCodeVerifier } = signIn;
    const checks = { expectedState, expectedNonce: nonce, pkceCodeVerifier, idTokenExpected: true };
    const tokens = await oidc.authorizationCodeGrant(oneId, new URL(req.originalUrl, baseUrl), checks);
    const { sessionToken } = await this.sessions.register({ idToken: tokens.id_token ?? '', nonce, replaces });
    // a person who knew the old cookie does not know the new one
    await promisify(req.session.regenerate.bind(req.session))();
    req.session.oneIdSession = sessionToken;
    await promisify(req.session.save.bind(req.session))();
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
      sessionFrom: sessionFromExpressSession('oneIdSession'),
      clearCookies: [{ name: '__Host-app', ...cookie }],
    }),
  ],
  controllers: [AppController],
})
export class AppModule {}

export const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.set('trust proxy', 1); // TLS ends at the proxy: without this line the app sets no Secure cookie
app.use(expressSession({ name: '__Host-app', secret: secrets, resave: false, saveUninitialized: false, cookie }));
await app.listen(PORT);
