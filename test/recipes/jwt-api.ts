import { BadRequestException, Controller, Get, Header, Injectable, Module } from '@nestjs/common';
import { Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { CurrentSession, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromUser, SessionRegistry } from 'nestjs-oneid-logout';
import * as oidc from 'openid-client';
import { ExtractJwt, Strategy } from 'passport-jwt';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { ONEID_CLIENT_SECRET: clientSecret = '', APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { JWT_SECRET: secret = '' } = process.env;

const oneId = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret));
const cookie = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;
const lifetime = 8 * 60 * 60; // seconds

/** The app's own token: it carries the session token, so it is as secret as this. */
interface AppToken {
  readonly sub: string;
  readonly sessionToken: string;
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: secret,
      algorithms: ['HS256'],
      issuer: baseUrl,
      audience: baseUrl,
    });
  }

  /** The result becomes `request.user`. */
  validate({ sub, sessionToken }: AppToken): AppToken {
    return { sub, sessionToken };
  }
}

@Controller()
export class ApiController {
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly jwt: JwtService,
  ) {}

  @Get('login')
  async signIn(@Res() res: Response): Promise<void> {
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const page = oidc.buildAuthorizationUrl(oneId, {
      redirect_uri: `${baseUrl}/login/callback`,
      scope: 'openid',
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
    const { sub, sessionToken } = await this.sessions.register({ idToken: tokens.id_token ?? '', nonce });
    const token = await this.jwt.signAsync({ sub, sessionToken } satisfies AppToken);
    res.clearCookie('__Host-sign-in', cookie).set('Cache-Control', 'no-store').json({ token });
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  @UseGuards(AuthGuard('jwt'), SessionAliveGuard) // in this order
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }
}

@Module({
  imports: [
    JwtModule.register({ secret, signOptions: { expiresIn: lifetime, issuer: baseUrl, audience: baseUrl } }),
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      maxSessionLifetimeSeconds: lifetime,
      sessionFrom: sessionFromUser('sessionToken'),
    }),
  ],
  controllers: [ApiController],
  providers: [JwtStrategy],
})
export class ApiModule {}

export const app = await NestFactory.create(ApiModule);
await app.listen(PORT);
