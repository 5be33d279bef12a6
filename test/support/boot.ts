import { ConsoleLogger, type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type OneIdLogoutOptions, sessionFromCookie } from 'nestjs-oneid-logout';
import { nodeNotice } from '../../libs/oneid-logout/src/node-notice.js';
import { clientId } from './host.js';

export interface Boot {
  readonly adapter?: 'express' | 'fastify';
  readonly configure?: (app: INestApplication) => void;
  /** False: `app.init()` alone, as tests and serverless apps do. True by default. */
  readonly listens?: boolean;
}

/** An app that has booted, and the library's warnings and errors until now. */
export interface Booted {
  readonly app: INestApplication;
  readonly warnings: readonly string[];
}

/** Boots real apps of one suite, and closes them. */
export class Boots {
  private readonly apps: INestApplication[] = [];

  async start(metadata: ModuleMetadata, { adapter, configure, listens = true }: Boot = {}): Promise<Booted> {
    @Module(metadata)
    class AppModule {}
    const warnings: string[] = [];
    const keep = (message: unknown, context?: unknown) => {
      if (context === 'OneIdLogout' && message !== nodeNotice()) warnings.push(String(message));
    };
    const silent = () => undefined;
    const logger = Object.assign(new ConsoleLogger(), { log: silent, warn: keep, error: keep });
    const app = await NestFactory.create(AppModule, await adapterOf(adapter), { logger, abortOnError: false });
    this.apps.push(app);
    configure?.(app);
    await (listens ? app.listen(0, '127.0.0.1') : app.init());
    return { app, warnings };
  }

  async close(): Promise<void> {
    for (const app of this.apps.splice(0)) await app.close();
  }
}

async function adapterOf(name: Boot['adapter'] = 'express') {
  if (name === 'fastify') return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  return new (await import('@nestjs/platform-express')).ExpressAdapter();
}

/** Complete options with a database in memory. */
export function optionsFor(issuer: string, changes: Partial<OneIdLogoutOptions> = {}): OneIdLogoutOptions {
  return {
    clients: [{ issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' }],
    secrets: ['a secret of the app that is long enough'],
    database: { type: 'better-sqlite3', database: ':memory:' },
    sessionFrom: sessionFromCookie('session'),
    ...changes,
  };
}
