import { type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { AppModule } from './app.module.js';
import { canonicalHost } from './canonical-host.js';
import { keepLanguage } from './pages/language.js';
import { type Settings } from './settings.js';

/** The app, ready to listen. */
export async function createApp(
  settings: Settings,
  options: NestApplicationOptions = {},
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(settings), {
    ...options,
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
