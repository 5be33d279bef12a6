import { Controller, Get, Header, Injectable, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { stringifySetCookie } from 'cookie';
import { CurrentSession, LogoutService, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie, SessionRegistry, type SessionRequest } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { APP_URL: baseUrl = 'https://my-app.example' } = process.env;

const cookie = { name: '__Host-session', path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

/** Where your sign-in ends: `reply.header('set-cookie', await this.signIn.complete(idToken, nonce, oldToken))`. */
@Injectable()
export class SignIn {
  constructor(private readonly sessions: SessionRegistry) {}

  async complete(idToken: string, nonce: string, oldToken?: string): Promise<string> {
    const { sessionToken } = await this.sessions.register({ idToken, nonce, replaces: oldToken });
    return stringifySetCookie({ ...cookie, value: sessionToken });
  }
}

@Controller()
export class AppController {
  constructor(private readonly logout: LogoutService) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  home(): string {
    return '<form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Post('logout')
  startLogout(@Req() req: SessionRequest, @Res() reply: unknown): Promise<void> {
    return this.logout.respond(req, reply, { returnTo: '/' });
  }
}

@Module({
  imports: [
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie(cookie.name),
      clearCookies: [cookie],
    }),
  ],
  controllers: [AppController],
  providers: [SignIn],
})
export class AppModule {}

export const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
await app.listen(PORT, '0.0.0.0');
