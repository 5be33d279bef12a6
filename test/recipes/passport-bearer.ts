import { Controller, type ExecutionContext, Get, Header, HttpException, Injectable, Module } from '@nestjs/common';
import { UnauthorizedException, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { type Request } from 'express';
import { type JWTPayload } from 'jose';
import { CurrentSession, OneIdLogoutModule, ProviderSigningKeys, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromClaims } from 'nestjs-oneid-logout';
import { ExtractJwt, Strategy } from 'passport-jwt';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { API_AUDIENCE: audience = clientId, APP_URL: appUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', PORT = '3000' } = process.env;

@Injectable()
export class OneIdStrategy extends PassportStrategy(Strategy) {
  constructor(keys: ProviderSigningKeys) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: (
        _request: Request,
        token: string,
        done: (error: unknown, key?: string | Buffer) => void,
      ) => {
        keys.find(token).then(
          (key) => {
            if (key === undefined) done(new UnauthorizedException());
            else done(null, key.export({ type: 'spki', format: 'pem' }));
          },
          (error: unknown) => done(error), // 503 while OneID's keys are not available
        );
      },
      algorithms: ['RS256'],
      issuer,
      audience,
    });
  }

  /** The result becomes `request.user`, where `sessionFromClaims()` reads it. */
  validate(claims: JWTPayload): JWTPayload | false {
    return claims.exp === undefined ? false : claims; // passport-jwt accepts a token without exp
  }
}

@Injectable()
export class OneIdGuard extends AuthGuard('jwt') {
  /** passport-jwt hands over an error of the keys as `info`, and AuthGuard would answer 401. */
  override handleRequest<User>(error: unknown, user: User, info: unknown, context: ExecutionContext): User {
    if (info instanceof HttpException) throw info;
    return super.handleRequest(error, user, info, context);
  }
}

@Controller()
@UseGuards(OneIdGuard, SessionAliveGuard) // in this order
export class ApiController {
  @Get('me')
  @Header('Cache-Control', 'no-store')
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }
}

@Module({
  imports: [
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${appUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      sessionFrom: sessionFromClaims(),
    }),
  ],
  controllers: [ApiController],
  providers: [OneIdStrategy],
})
export class ApiModule {}

export const app = await NestFactory.create(ApiModule);
await app.listen(PORT);
