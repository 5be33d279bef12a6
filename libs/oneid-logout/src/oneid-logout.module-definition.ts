import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { FACTORY_METHOD, requireOptions, requireSource, withChecks } from './async-options.js';
import { LogoutChannelsController } from './channels/logout-channels.controller.js';
import { type RouteDecorator, withDecorators } from './http/route-decorators.js';
import { LogoutCallbackController } from './logout/logout-callback.controller.js';
import { type OneIdLogoutOptions } from './oneid-logout.options.js';

/**
 * Settings of the Nest module itself, given beside the options in `forRoot` and `forRootAsync`.
 *
 * @category Set-up
 */
export interface OneIdLogoutExtras {
  /**
   * Make the exports available in every module of the app.
   *
   * @defaultValue true
   */
  readonly isGlobal?: boolean;
  /**
   * The host's own decorators for the library's routes, such as `Public()` for a global guard or `SkipThrottle()`. The
   * library applies them only to the controllers of this registration.
   *
   * @defaultValue []
   */
  readonly routeDecorators?: readonly RouteDecorator[];
}

/**
 * Makes the options, for `forRootAsync({ useClass })` and `forRootAsync({ useExisting })`.
 *
 * @category Set-up
 * @example
 * ```ts
 * import { Injectable, Module } from '@nestjs/common';
 * import { OneIdLogoutModule, type OneIdLogoutOptions, type OneIdLogoutOptionsFactory } from 'nestjs-oneid-logout';
 *
 * @Injectable()
 * export class OneIdLogoutSettings implements OneIdLogoutOptionsFactory {
 *   createOneIdLogoutOptions(): OneIdLogoutOptions {
 *     const postLogoutRedirectUri = 'https://my-app.example/logout/callback';
 *     return { clients: [{ issuer: 'https://oauth-qc.vinid.dev/', clientId: 'my-app', postLogoutRedirectUri }] };
 *   }
 * }
 *
 * @Module({ imports: [OneIdLogoutModule.forRootAsync({ useClass: OneIdLogoutSettings })] })
 * export class AppModule {}
 * ```
 */
export interface OneIdLogoutOptionsFactory {
  /** Nest calls it once, at boot. */
  createOneIdLogoutOptions(): OneIdLogoutOptions | Promise<OneIdLogoutOptions>;
}

const extras: OneIdLogoutExtras = { isGlobal: true, routeDecorators: [] };

const built = new ConfigurableModuleBuilder<OneIdLogoutOptions>({ moduleName: 'OneIdLogout' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName(FACTORY_METHOD)
  .setExtras(extras, (definition: DynamicModule, { isGlobal, routeDecorators }) => ({
    ...definition,
    global: isGlobal ?? true,
    controllers: [LogoutChannelsController, LogoutCallbackController].map((controller) =>
      withDecorators(controller, routeDecorators ?? []),
    ),
  }))
  .build();

export const { MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } = built;

/** Nest's `forRoot` and `forRootAsync`, which say what is wrong when they get no options, or nothing that makes them. */
export class ConfigurableModuleClass extends built.ConfigurableModuleClass {
  /**
   * Sets the module up with options that are known now.
   *
   * @param options the options of the library, and beside them `isGlobal` and `routeDecorators`
   * @throws {InvalidOptionsError} the options are missing
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    requireOptions(options);
    return super.forRoot(options);
  }

  /**
   * Sets the module up with options that a provider makes at boot.
   *
   * @param options `useFactory` with `inject`, `useClass` or `useExisting`, and beside them `isGlobal` and
   *   `routeDecorators`
   * @throws {InvalidOptionsError} none of the three makes options, or more than one of them is given
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    requireSource(options);
    const { providers = [], ...definition } = super.forRootAsync(options);
    return {
      ...definition,
      providers: providers.map((provider) => withChecks(provider, MODULE_OPTIONS_TOKEN, options)),
    };
  }
}
