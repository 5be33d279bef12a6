import { type DynamicModule, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { OneIdLogoutModule } from 'nestjs-oneid-logout';
import { HomeController } from './account/home.controller.js';
import { LogoutController } from './account/logout.controller.js';
import { MySessions } from './account/my-sessions.js';
import { SessionsController } from './account/sessions.controller.js';
import { AccessTokens } from './api/access-tokens.js';
import { ApiController } from './api/api.controller.js';
import { oneIdLogoutOptions } from './oneid-logout-options.js';
import { OneId } from './oneid/oneid.js';
import { OneIdModule } from './oneid/oneid.module.js';
import { AssetsController } from './pages/assets.controller.js';
import { NotFoundPageFilter } from './pages/error-page.filter.js';
import { HealthController } from './pages/health.controller.js';
import { Pages } from './pages/pages.js';
import { Settings } from './settings.js';
import { SignInTransactions } from './sign-in/sign-in-transactions.js';
import { SignInController } from './sign-in/sign-in.controller.js';
import { SignInService } from './sign-in/sign-in.service.js';
import { ChannelRequests } from './timeline/channel-requests.middleware.js';
import { TimelineController } from './timeline/timeline.controller.js';
import { Timeline } from './timeline/timeline.js';

@Module({})
export class AppModule implements NestModule {
  static with(settings: Settings, oneId: OneId): DynamicModule {
    return {
      module: AppModule,
      imports: [
        OneIdModule.with(settings, oneId),
        OneIdLogoutModule.forRootAsync({ inject: [Settings, OneId], useFactory: oneIdLogoutOptions }),
      ],
      controllers: [
        HomeController,
        LogoutController,
        SessionsController,
        TimelineController,
        SignInController,
        ApiController,
        AssetsController,
        HealthController,
      ],
      providers: [
        { provide: APP_FILTER, useClass: NotFoundPageFilter },
        Pages,
        MySessions,
        Timeline,
        SignInService,
        SignInTransactions,
        AccessTokens,
      ],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(ChannelRequests).forRoutes('backchannel_logout', 'frontchannel_logout');
  }
}
