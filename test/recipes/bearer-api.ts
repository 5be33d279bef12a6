import { type CanActivate, Controller, type ExecutionContext, Get, Header, Injectable, Module } from '@nestjs/common';
import { UnauthorizedException, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Request } from 'express';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { CurrentSession, OneIdLogoutModule, ProviderSigningKeys, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromClaims } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { API_AUDIENCE: audience = clientId, APP_URL: baseUrl = 'https://my-app.example' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', PORT = '3000' } = process.env;

const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['exp'], clockTolerance: 30 };

/** Checks that OneID has signed the token. It puts the claims where `sessionFromClaims()` reads them. */
@Injectable()
export class BearerGuard implements CanActivate {
  constructor(private readonly keys: ProviderSigningKeys) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request & { user?: JWTPayload | undefined }>();
    const token = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    request.user = token === undefined ? undefined : await this.verify(token);
    return true;
  }

  private async verify(token: string): Promise<JWTPayload> {
    const key = await this.keys.find(token); // 503 while OneID's keys are not available
    if (key === undefined) throw new UnauthorizedException();
    try {
      return (await jwtVerify(token, key, checks)).payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new UnauthorizedException();
      throw error;
    }
  }
}

@Controller()
@UseGuards(BearerGuard, SessionAliveGuard)
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
