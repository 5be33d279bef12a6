import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { LogoutChannelsController } from './channels/logout-channels.controller.js';
import { type RouteDecorator, withDecorators } from './http/route-decorators.js';
import { LogoutCallbackController } from './logout/logout-callback.controller.js';
import { type OneIdLogoutOptions } from './oneid-logout.options.js';

/** Settings of the Nest module itself, given beside the options in `forRoot` and `forRootAsync`. */
export interface OneIdLogoutExtras {
  /** Make the exports available everywhere; true by default. */
  readonly isGlobal?: boolean;
  /**
   * The host's own decorators for the library's routes, such as `Public()` for a global guard or `SkipThrottle()`. The
   * library applies them only to the controllers of this registration.
   */
  readonly routeDecorators?: readonly RouteDecorator[];
}

/** A class given as `useClass` or `useExisting` implements it. */
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
