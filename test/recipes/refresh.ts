import { BadRequestException, type CanActivate, Controller, type ExecutionContext, Get, Header } from '@nestjs/common';
import { Injectable, Logger, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { currentSession, CurrentSession, LogoutService, OneIdLogoutError } from 'nestjs-oneid-logout';
import { OneIdLogoutModule, SessionAliveGuard, SessionRejectedError, SessionRegistry } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { ASK_EVERY_SECONDS = '300' } = process.env;

const oneId = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret));
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

interface Login {
  refreshToken: string;
  askAt: number;
  asking?: Promise<void> | undefined;
}

const nextTime = () => Date.now() + Number(ASK_EVERY_SECONDS) * 1000;

/** Asks the provider whether a login goes on, by a refresh. Keep the tokens encrypted in your database. */
@Injectable()
export class Logins {
  private readonly logger = new Logger('Logins');
  private readonly byId = new Map<string, Login>();

  constructor(private readonly sessions: SessionRegistry) {}

  add(sessionId: string, refreshToken: string): void {
    this.byId.set(sessionId, { refreshToken, askAt: nextTime() });
  }

  async requireGoingOn(sessionId: string): Promise<void> {
    const login = this.byId.get(sessionId);
    if (login === undefined || login.askAt > Date.now()) return;
    // one refresh for all requests of this moment: the provider takes each refresh token once
    login.asking ??= this.ask(sessionId, login).finally(() => (login.asking = undefined));
    await login.asking;
  }

  private async ask(sessionId: string, login: Login): Promise<void> {
    login.askAt = nextTime();
    try {
      const tokens = await oidc.refreshTokenGrant(oneId, login.refreshToken);
      login.refreshToken = tokens.refresh_token ?? login.refreshToken;
      await this.sessions.refresh(sessionId, { idToken: tokens.id_token, refreshToken: login.refreshToken });
    } catch (error) {
      if (error instanceof OneIdLogoutError) throw error;
      if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') {
        await this.sessions.end(sessionId);
        this.byId.delete(sessionId);
        throw new SessionRejectedError('logged_out');
      }
      this.logger.warn(`Could not refresh, and the user stays signed in: ${String(error)}`);
    }
  }
}

/** Runs after SessionAliveGuard. */
@Injectable()
export class LoginGuard implements CanActivate {
  constructor(private readonly logins: Logins) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const id = currentSession(context.switchToHttp().getRequest<Request>())?.id;
    if (id !== undefined) await this.logins.requireGoingOn(id);
    return true;
  }
}

@Controller()
export class AppController {
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly logins: Logins,
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
      scope: 'openid offline', // other providers than OneID: see your provider's page
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
    const { id_token: idToken = '', refresh_token: refreshToken } = tokens;
    const replaces = cookies['__Host-session'];
    const { id, sessionToken } = await this.sessions.register({ idToken, nonce, refreshToken, replaces });
    if (refreshToken !== undefined) this.logins.add(id, refreshToken);
    res.clearCookie('__Host-sign-in', cookie).cookie('__Host-session', sessionToken, cookie).redirect('/me');
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @UseGuards(SessionAliveGuard, LoginGuard)
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
      clients: [
        {
          issuer,
          clientId,
          clientAuthentication: { clientSecret },
          postLogoutRedirectUri: `${baseUrl}/logout/callback`,
        },
      ],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie('__Host-session'),
      clearCookies: [{ name: '__Host-session', ...cookie }],
    }),
  ],
  controllers: [AppController],
  providers: [Logins],
})
export class AppModule {}

export const app = await NestFactory.create(AppModule);
await app.listen(PORT);
