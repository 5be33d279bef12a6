import { Controller, type ExecutionContext, Get, Header, Injectable, Module } from '@nestjs/common';
import { UnauthorizedException, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Request } from 'express';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { CurrentSession, OneIdLogoutModule, ProviderUnavailableError, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromClaims } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { API_AUDIENCE: audience = clientId, BASE_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', PORT = '3000' } = process.env;

const keys = createRemoteJWKSet(new URL('.well-known/jwks.json', issuer));
const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['exp'], clockTolerance: 30 };
const ofKeys: string[] = [errors.JWKSTimeout.code, errors.JWKSInvalid.code, errors.JOSEError.code];

/** Checks that OneID has signed the token, then that its login is alive. */
@Injectable()
export class BearerGuard extends SessionAliveGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request & { user?: JWTPayload | undefined }>();
    const token = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    request.user = token === undefined ? undefined : await this.verify(token);
    return super.canActivate(context);
  }

  private async verify(token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, keys, checks)).payload;
    } catch (error) {
      if (error instanceof errors.JOSEError && !ofKeys.includes(error.code)) throw new UnauthorizedException();
      throw new ProviderUnavailableError("OneID's keys are not available, try again", error); // 503
    }
  }
}

@Controller()
@UseGuards(BearerGuard)
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
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      sessionFrom: sessionFromClaims(),
    }),
  ],
  controllers: [ApiController],
})
export class ApiModule {}

export const app = await NestFactory.create(ApiModule);
await app.listen(PORT);
