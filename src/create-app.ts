import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { AppModule } from './app.module.js';
import { canonicalHost } from './canonical-host.js';
import { OneId } from './oneid/oneid.js';
import { keepLanguage } from './pages/language.js';
import { type Settings } from './settings.js';

export interface CreateAppOptions {
  /** What is logged: everything unless given. */
  readonly logLevels?: LogLevel[];
}

/** The app, ready to listen. An app that can't be created leaves nothing open that would keep the process from ending. */
export async function createApp(
  settings: Settings,
  { logLevels }: CreateAppOptions = {},
): Promise<NestExpressApplication> {
  const oneId = await OneId.of(settings);
  try {
    return await create(settings, oneId, new AppLogger({ ...(logLevels && { logLevels }) }));
  } catch (error) {
    await oneId.close();
    throw error;
  }
}

async function create(settings: Settings, oneId: OneId, logger: AppLogger): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(settings, oneId), {
    logger,
    abortOnError: false,
    // a browser comes back for its stream on the same connection, again and again, and a server waits for its last one; what
    // is in flight, of OneID's too, still gets its answer
    return503OnClosing: true,
  });
  const https = settings.baseUrl.startsWith('https:');
  // the defaults, but for the one line that sends browsers to https where there is none
  app.use(helmet(https ? {} : { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  app.use(keepLanguage, canonicalHost(settings));
  return app;
}

/** Where Nest logs an error that it also throws: when an app can't be created, and when it can't listen. */
const THROWN_AS_WELL: readonly unknown[] = ['ExceptionHandler', 'NestApplication'];

/** Leaves errors that are thrown to the caller, who tells the user in one sentence and without a stack. */
class AppLogger extends ConsoleLogger {
  override error(message: unknown, ...optionalParams: unknown[]): void {
    if (!THROWN_AS_WELL.includes(optionalParams.at(-1))) super.error(message, ...optionalParams);
  }
}
