import { Controller, Get, Header, Module } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { AuthGuard, KeycloakConnectModule, Public } from 'nest-keycloak-connect';
import { AllowAnonymous, CurrentSession, OneIdLogoutModule, SessionAliveGuard } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromClaims } from 'nestjs-oneid-logout';

const { KEYCLOAK_URL: authServerUrl = 'https://keycloak.example', KEYCLOAK_REALM: realm = 'my-realm' } = process.env;
const { ONEID_CLIENT_ID: clientId = 'my-app', ONEID_CLIENT_SECRET: secret = '', PORT = '3000' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_URL: baseUrl = 'https://my-app.example' } = process.env;

@Controller()
export class ApiController {
  @Get('health')
  @Public()
  @AllowAnonymous()
  health() {
    return { status: 'ok' };
  }

  @Get('me')
  @Header('Cache-Control', 'no-store')
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }
}

@Module({
  imports: [
    KeycloakConnectModule.register({ authServerUrl, realm, clientId, secret }),
    OneIdLogoutModule.forRoot({
      clients: [
        {
          issuer: `${authServerUrl}/realms/${realm}`,
          clientId,
          clientAuthentication: { clientSecret: secret },
          postLogoutRedirectUri: `${baseUrl}/logout/callback`,
        },
      ],
      database: { type: 'postgres', url },
      sessionFrom: sessionFromClaims(), // AuthGuard puts the claims into request.user
      routeDecorators: [Public()],
    }),
  ],
  controllers: [ApiController],
  providers: [
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useExisting: SessionAliveGuard }, // then RoleGuard and ResourceGuard, if you use them
  ],
})
export class ApiModule {}

export const app = await NestFactory.create(ApiModule);
await app.listen(PORT);
