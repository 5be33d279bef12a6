// A Nest app on Express with one page. Its settings name the guard of the page.
import 'reflect-metadata';
import { type CanActivate, Controller, Get, Injectable, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OneIdLogoutModule, type OneIdLogoutOptions, SessionAliveGuard, sessionFromCookie } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { SessionJudge } from '../../libs/oneid-logout/src/guard/session-judge.js';
import { collectMetrics } from './metrics.js';
import { answerQuestions, settings } from './questions.js';
import { singleChecks } from './single-check.js';
import { countStatements } from './statements.js';

export interface NestSettings {
  /** `empty`: a guard that returns true. `alive`: the library's `SessionAliveGuard`. */
  readonly guard: 'none' | 'empty' | 'alive';
  /** The options of the library; needed for the guard `alive`, and to receive logouts. */
  readonly options?: Omit<OneIdLogoutOptions, 'sessionFrom'>;
  /** URL of a PostgreSQL: the guard `alive` sends one statement for each check, see `singleChecks`. */
  readonly singleChecks?: string;
  /** Registers an SDK of OpenTelemetry that collects the metrics every second. */
  readonly metrics?: boolean;
}

@Injectable()
class EmptyGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Controller()
class UnguardedController {
  @Get('page')
  page() {
    return { hello: 'world' };
  }
}

@Controller()
class EmptyGuardController {
  @Get('page')
  @UseGuards(EmptyGuard)
  page() {
    return { hello: 'world' };
  }
}

@Controller()
class GuardedController {
  @Get('page')
  @UseGuards(SessionAliveGuard)
  page() {
    return { hello: 'world' };
  }
}

const { guard, options, singleChecks: singleChecksUrl, metrics: withMetrics } = settings() as NestSettings;
if (withMetrics) collectMetrics();
if (options?.database !== undefined) await countStatements(options.database.type);

@Module({
  imports:
    options === undefined ? [] : [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })],
  controllers: [{ none: UnguardedController, empty: EmptyGuardController, alive: GuardedController }[guard]],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
if (singleChecksUrl !== undefined) {
  const judge = app.get(SessionJudge, { strict: false });
  Object.defineProperty(judge, 'lookup', { value: singleChecks(singleChecksUrl) });
}
await app.listen(0, '127.0.0.1');
answerQuestions(await app.getUrl(), {
  logouts: async () => {
    const { rows } = await app.get(SessionDatabase, { strict: false }).run('SELECT COUNT(*) AS n FROM oneid_logout');
    return Number(rows[0]?.['n']);
  },
});
