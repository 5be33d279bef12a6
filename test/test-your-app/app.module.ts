import { Controller, Get, Injectable, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionDatabaseOptions, type SessionFacts } from 'nestjs-oneid-logout';
import { sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';

/** Nest reads the environment when it makes this object, and a test can replace the object. */
@Injectable()
export class Settings {
  readonly issuer = process.env['ONEID_ISSUER'] ?? '';
  readonly clientId = process.env['ONEID_CLIENT_ID'] ?? '';
  readonly clientSecret = process.env['ONEID_CLIENT_SECRET'] ?? '';
  readonly appUrl = process.env['APP_URL'] ?? '';
  readonly secrets: readonly string[] = process.env['APP_SECRETS']?.split(',') ?? [];
  readonly database: SessionDatabaseOptions = { type: 'postgres', url: process.env['DATABASE_URL'] ?? '' };
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

const oneId = {
  provide: oidc.Configuration,
  inject: [Settings],
  useFactory: ({ issuer, clientId, clientSecret }: Settings) =>
    oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret), {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; the OneID of the tests has no TLS
      execute: issuer.startsWith('http://127.0.0.1:') ? [oidc.allowInsecureRequests] : [],
    }),
};
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

@Controller()
export class AppController {
  constructor(
    private readonly settings: Settings,
    private readonly oneId: oidc.Configuration,
    private readonly sessions: SessionRegistry,
    private readonly logout: LogoutService,
  ) {}

  /** Shortened: the recipes have a whole sign-in, with PKCE and its faults. */
  @Get('login')
  signIn(@Res() res: Response): void {
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const redirect_uri = `${this.settings.appUrl}/login/callback`;
    const page = oidc.buildAuthorizationUrl(this.oneId, { redirect_uri, scope: 'openid', state, nonce });
    res.cookie('__Host-sign-in', `${state},${nonce}`, cookie).redirect(page.href);
  }

  @Get('login/callback')
  async signedIn(@Req() req: Request, @Res() res: Response): Promise<void> {
    const [expectedState = '', nonce = ''] = parseCookie(req.headers.cookie ?? '')['__Host-sign-in']?.split(',') ?? [];
    const url = new URL(req.originalUrl, this.settings.appUrl);
    const tokens = await oidc.authorizationCodeGrant(this.oneId, url, { expectedState, expectedNonce: nonce });
    const { sessionToken } = await this.sessions.register({ idToken: tokens.id_token ?? '', nonce });
    res.clearCookie('__Host-sign-in', cookie).cookie('__Host-session', sessionToken, cookie).redirect('/me');
  }

  @Get('me')
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
    SettingsModule,
    OneIdLogoutModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: ({ issuer, clientId, appUrl, database, secrets }: Settings) => ({
        clients: [{ issuer, clientId, postLogoutRedirectUri: `${appUrl}/logout/callback` }],
        database,
        secrets,
        sessionFrom: sessionFromCookie('__Host-session'),
      }),
    }),
  ],
  controllers: [AppController],
  providers: [oneId],
})
export class AppModule {}
