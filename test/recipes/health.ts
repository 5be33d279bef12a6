import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { OneIdLogoutModule, ReplicaStatus, sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { APP_URL: baseUrl = 'https://my-app.example' } = process.env;

/**
 * How old a replica's knowledge of the other replicas' logouts may be, milliseconds. A replica whose knowledge is older is
 * not ready. It has closed its sockets already after `maxConnectionStalenessMs` (ten seconds).
 */
const MOST_STALENESS_MS = 30_000;

@Injectable()
export class OneIdLogoutHealth {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly replica: ReplicaStatus,
    private readonly sessions: SessionRegistry,
  ) {}

  async isReady() {
    const indicator = this.indicators.check('oneid_logout');
    const state = { ...this.replica.read() };
    // asks the library's database
    const answers = await this.sessions.countPendingRevocations().then(
      () => true,
      () => false,
    );
    if (!answers) return indicator.down({ ...state, message: 'The session store does not answer' });
    if ((state.stalenessMs ?? 0) > MOST_STALENESS_MS) {
      return indicator.down({ ...state, message: 'This replica does not see the logouts of the others' });
    }
    // `degraded` leaves the status at 200: these logouts wait for OneID or for the database, and need this replica
    const waiting = state.unrecordedLogouts + state.undecidedLogouts;
    return waiting > 0 ? indicator.degraded(state) : indicator.up(state);
  }
}

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly oneIdLogout: OneIdLogoutHealth,
  ) {}

  /** The process answers. It asks nothing else: a restart would not mend a database or OneID. */
  @Get('live')
  live() {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.oneIdLogout.isReady()]);
  }
}

@Module({
  imports: [
    TerminusModule,
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie('__Host-session'),
    }),
  ],
  controllers: [HealthController],
  providers: [OneIdLogoutHealth],
})
export class AppModule {}

export const app = await NestFactory.create(AppModule);
app.enableShutdownHooks(); // at SIGTERM, the app records the logouts that it keeps
await app.listen(PORT);
