// A Nest app on Express with one page, guarded as its settings say.
import 'reflect-metadata';
import { type CanActivate, Controller, Get, Injectable, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OneIdLogoutModule, type OneIdLogoutOptions, SessionAliveGuard, sessionFromCookie } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { answerQuestions, settings } from './questions.js';

export interface NestSettings {
  readonly guard: 'none' | 'empty' | 'alive';
  /** With the guard `alive`, or to take logouts. */
  readonly options?: Omit<OneIdLogoutOptions, 'sessionFrom'>;
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

const { guard, options } = settings() as NestSettings;

@Module({
  imports:
    options === undefined ? [] : [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })],
  controllers: [{ none: UnguardedController, empty: EmptyGuardController, alive: GuardedController }[guard]],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
let statements = 0;
if (options !== undefined) {
  const database = app.get(SessionDatabase, { strict: false });
  const run = database.run.bind(database);
  database.run = (...statement: Parameters<typeof run>) => {
    statements += 1;
    return run(...statement);
  };
}
answerQuestions(await app.getUrl(), {
  statements: () => Promise.resolve(statements),
  logouts: async () => {
    const { rows } = await app.get(SessionDatabase, { strict: false }).run('SELECT COUNT(*) AS n FROM oneid_logout');
    return Number(rows[0]?.['n']);
  },
});
