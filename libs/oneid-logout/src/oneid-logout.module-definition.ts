import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { LogoutChannelsController } from './channels/logout-channels.controller.js';
import { type RouteDecorator, withDecorators } from './http/route-decorators.js';
import { LogoutCallbackController } from './logout/logout-callback.controller.js';
import { type OneIdLogoutOptions } from './oneid-logout.options.js';

/** Beside the options, in `forRoot` and `forRootAsync` alike: what shapes the module itself. */
export interface OneIdLogoutExtras {
  /** Make the exports available everywhere; true by default. */
  readonly isGlobal?: boolean;
  /**
   * The host's own decorators for the library's routes, such as `Public()` for a global guard or `SkipThrottle()`. They
   * are applied to controllers made for this registration alone.
   */
  readonly routeDecorators?: readonly RouteDecorator[];
}

/** Implemented by a class given as `useClass` or `useExisting`. */
export interface OneIdLogoutOptionsFactory {
  createOneIdLogoutOptions(): OneIdLogoutOptions | Promise<OneIdLogoutOptions>;
}

const extras: OneIdLogoutExtras = { isGlobal: true, routeDecorators: [] };

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<OneIdLogoutOptions>({ moduleName: 'OneIdLogout' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createOneIdLogoutOptions')
    .setExtras(extras, (definition: DynamicModule, { isGlobal, routeDecorators }) => ({
      ...definition,
      global: isGlobal ?? true,
      controllers: [LogoutChannelsController, LogoutCallbackController].map((controller) =>
        withDecorators(controller, routeDecorators ?? []),
      ),
    }))
    .build();
