import { BadRequestException, Controller, Get, Header, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { APP_URL: baseUrl = 'https://my-app.example', APP_SECRETS = '', PORT = '3000' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app' } = process.env;

const oneId = await oidc.discovery(new URL(issuer), clientId, {}, oidc.None());
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

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
  async signIn(@Res() res: Response): Promise<void> {
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const page = oidc.buildAuthorizationUrl(oneId, {
      redirect_uri: `${baseUrl}/login/callback`,
      scope: 'openid offline',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    res.cookie('__Host-sign-in', [state, nonce, verifier].join(), { ...cookie, maxAge: 600_000 }).redirect(page.href);
  }

  @Get('login/callback')
  async signedIn(@Req() req: Request, @Res() res: Response): Promise<void> {
    const cookies = parseCookie(req.headers.cookie ?? '');
    const [expectedState = '', nonce = '', pkceCodeVerifier = ''] = cookies['__Host-sign-in']?.split(',') ?? [];
    if (pkceCodeVerifier === '') throw new BadRequestException('This sign-in was not started in this browser');
    const checks = { expectedState, expectedNonce: nonce, pkceCodeVerifier, idTokenExpected: true };
    const tokens = await oidc.authorizationCodeGrant(oneId, new URL(req.originalUrl, baseUrl), checks);
    const { sessionToken } = await this.sessions.register({
      idToken: tokens.id_token ?? '',
      nonce,
      refreshToken: tokens.refresh_token, // revoked when a logout ends the session
      replaces: cookies['__Host-session'],
    });
    res.clearCookie('__Host-sign-in', cookie).cookie('__Host-session', sessionToken, cookie).redirect('/me');
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
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }], // no clientAuthentication
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie('__Host-session'),
      clearCookies: [{ name: '__Host-session', ...cookie }],
    }),
  ],
  controllers: [AppController],
})
export class AppModule {}

export const app = await NestFactory.create(AppModule);
await app.listen(PORT);
