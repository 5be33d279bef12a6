import { type DynamicModule, Module } from '@nestjs/common';
import { Settings } from '../settings.js';
import { OneIdClient } from './oneid-client.js';
import { OneId } from './oneid.js';

/** The settings, and the OneID they name. */
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
