import { type DynamicModule, Module } from '@nestjs/common';
import { OneIdLogoutModule } from 'nestjs-oneid-logout';
import { AccessTokens } from './api/access-tokens.js';
import { ApiController } from './api/api.controller.js';
import { oneIdLogoutOptions } from './oneid-logout-options.js';
import { OneId } from './oneid/oneid.js';
import { OneIdModule } from './oneid/oneid.module.js';
import { HealthController } from './pages/health.controller.js';
import { LogoutController } from './pages/logout.controller.js';
import { PagesController } from './pages/pages.controller.js';
import { Settings } from './settings.js';
import { SignInTransactions } from './sign-in/sign-in-transactions.js';
import { SignInController } from './sign-in/sign-in.controller.js';
import { SignInService } from './sign-in/sign-in.service.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        OneIdModule.with(settings),
        OneIdLogoutModule.forRootAsync({ inject: [Settings, OneId], useFactory: oneIdLogoutOptions }),
      ],
      controllers: [PagesController, LogoutController, HealthController, SignInController, ApiController],
      providers: [SignInService, SignInTransactions, AccessTokens],
    };
  }
}
