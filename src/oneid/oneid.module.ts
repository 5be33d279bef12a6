import { type DynamicModule, Module } from '@nestjs/common';
import { Settings } from '../settings.js';
import { OneIdClient } from './oneid-client.js';
import { OneId } from './oneid.js';

/** Provides the settings and the OneID to all modules. */
@Module({})
export class OneIdModule {
  static with(settings: Settings, oneId: OneId): DynamicModule {
    return {
      module: OneIdModule,
      global: true,
      providers: [{ provide: Settings, useValue: settings }, { provide: OneId, useValue: oneId }, OneIdClient],
      exports: [Settings, OneId, OneIdClient],
    };
  }
}
