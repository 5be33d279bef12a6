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
  /** The log levels to print; all levels when absent. */
  readonly logLevels?: LogLevel[];
}

/** Creates the app, ready to listen. On failure, closes the embedded OneID, which would keep the process alive. */
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
    // While the app closes, a browser reopens its event stream again and again on the same connection, and the server
    // waits for its last connection. With this option, new requests get 503; requests in flight get their answer.
    return503OnClosing: true,
  });
  const https = settings.baseUrl.startsWith('https:');
  // helmet's defaults; without https, leave out the directive that makes browsers use https
  app.use(helmet(https ? {} : { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  app.use(keepLanguage, canonicalHost(settings));
  return app;
}

/** Log contexts in which Nest logs an error and throws it too: the app can't be created, or it can't listen. */
const THROWN_AS_WELL: readonly unknown[] = ['ExceptionHandler', 'NestApplication'];

/** Does not log errors that Nest also throws: the caller prints them in one sentence, without a stack. */
class AppLogger extends ConsoleLogger {
  override error(message: unknown, ...optionalParams: unknown[]): void {
    if (!THROWN_AS_WELL.includes(optionalParams.at(-1))) super.error(message, ...optionalParams);
  }
}
