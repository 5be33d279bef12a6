import { Controller, Get, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  OneIdLogoutError,
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  type OneIdLogoutOptionsFactory,
  SessionAliveGuard,
  SessionEvents,
  type SessionFacts,
  sessionFromClaims,
  sessionFromCookie,
  SessionRegistry,
  type SessionRequest,
} from 'nestjs-oneid-logout';
import { type Delivery, OneIdTestProvider } from 'nestjs-oneid-logout/testing';

class Factory implements OneIdLogoutOptionsFactory {
  createOneIdLogoutOptions(): OneIdLogoutOptions {
    return {
      clients: [
        {
          issuer: 'https://oneid.example/',
          clientId: 'app',
          clientAuthentication: { clientSecret: process.env['SECRET'] ?? '' },
          postLogoutRedirectUri: 'https://app.example/logout/callback',
        },
      ],
      database: { type: 'postgres', url: 'postgres://db/app', poolSize: 4 },
      sessionFrom: [sessionFromCookie('session'), sessionFromClaims()],
    };
  }
}

@Controller()
class AppController {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly logout: LogoutService,
    events: SessionEvents,
  ) {
    events.logouts.subscribe(({ channel }) => void channel);
  }

  async signedIn(idToken: string, refreshToken?: string): Promise<string> {
    const session = await this.registry.register({ idToken, ...(refreshToken !== undefined && { refreshToken }) });
    return session.sessionToken;
  }

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts): string | undefined {
    return session.sub;
  }

  @Post('logout')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  out(@Req() request: SessionRequest, @Res() response: unknown, @CurrentSession() session?: SessionFacts) {
    return this.logout.respond(request, response, { session, returnTo: '/' });
  }
}

class Second extends OneIdLogoutModule {}

@Module({
  imports: [
    OneIdLogoutModule.forRootAsync({ useClass: Factory, isGlobal: true, routeDecorators: [] }),
    Second.forRoot({ ...new Factory().createOneIdLogoutOptions(), isGlobal: false }),
  ],
  controllers: [AppController],
})
export class AppModule {}

export async function deliver(uri: string): Promise<Delivery> {
  const oneId = await OneIdTestProvider.start({ clients: [{ clientId: 'app' }] });
  return oneId.deliver(uri, await oneId.logoutToken({ clientId: 'app', login: oneId.signIn() }));
}

export const codeOf = (error: unknown): string => (error instanceof OneIdLogoutError ? error.code : 'unknown');

// @ts-expect-error the compiler finds a misspelt option
export const misspelt: OneIdLogoutOptions = { clients: [], secret: [] };
