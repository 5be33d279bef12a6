import { BadRequestException, Controller, Get, Header, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { parseCookie, stringifySetCookie } from 'cookie';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;

const oneId = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret));
const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;
const setCookie = (name: string, value: string, maxAge?: number) =>
  stringifySetCookie({ name, value, ...attributes, ...(maxAge !== undefined && { maxAge }) });

@Controller()
export class AppController {
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly logout: LogoutService,
  ) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  home(): string {
    return '<a href="/login">Sign in</a> <form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get('login')
  async signIn(@Res() reply: FastifyReply): Promise<void> {
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const page = oidc.buildAuthorizationUrl(oneId, {
      redirect_uri: `${baseUrl}/login/callback`,
      scope: 'openid',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    reply.header('set-cookie', setCookie('__Host-sign-in', [state, nonce, verifier].join(), 600));
    await reply.redirect(page.href, 302);
  }

  @Get('login/callback')
  async signedIn(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const cookies = parseCookie(request.headers.cookie ?? '');
    const [expectedState = '', nonce = '', pkceCodeVerifier = ''] = cookies['__Host-sign-in']?.split(',') ?? [];
    if (pkceCodeVerifier === '') throw new BadRequestException('This sign-in was not started in this browser');
    const checks = { expectedState, expectedNonce: nonce, pkceCodeVerifier, idTokenExpected: true };
    const tokens = await oidc.authorizationCodeGrant(oneId, new URL(request.originalUrl, baseUrl), checks);
    const replaces = cookies['__Host-session'];
    const { sessionToken } = await this.sessions.register({ idToken: tokens.id_token ?? '', nonce, replaces });
    reply.header('set-cookie', [setCookie('__Host-sign-in', '', 0), setCookie('__Host-session', sessionToken)]);
    await reply.redirect('/me', 302);
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Post('logout')
  startLogout(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.logout.respond(request, reply, { returnTo: '/' });
  }
}

@Module({
  imports: [
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie('__Host-session'),
      clearCookies: [{ name: '__Host-session', ...attributes }],
    }),
  ],
  controllers: [AppController],
})
export class AppModule {}

export const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
await app.listen(PORT, '0.0.0.0');
