import { type AbstractHttpAdapter } from '@nestjs/core';

/** Full paths of the routes that the host's framework has mounted, with all prefixes. */
export type MountedRoutes = () => readonly string[];

/** A route or middleware as Express has mounted it. */
export interface ExpressLayer {
  readonly route?: { readonly path?: unknown };
  match(path: string): boolean;
}

/** What Express has mounted until now. */
export function expressLayers(adapter: AbstractHttpAdapter): readonly ExpressLayer[] {
  return adapter.getInstance<{ router?: { stack?: readonly ExpressLayer[] } }>().router?.stack ?? [];
}

/**
 * Watches which routes the framework mounts. Call this before Nest registers routes, and the returned function
 * afterwards.
 *
 * The paths come from the framework itself, so they are right for every combination of global prefix, `RouterModule`
 * and versioning.
 */
export function watchMountedRoutes(adapter: AbstractHttpAdapter): MountedRoutes {
  if (adapter.getType() === 'fastify') {
    const paths: string[] = [];
    const instance = adapter.getInstance<{
      addHook(name: 'onRoute', hook: (route: { readonly url: string }) => void): void;
    }>();
    instance.addHook('onRoute', ({ url }) => paths.push(url));
    return () => paths;
  }
  return () =>
    expressLayers(adapter)
      .map((layer) => layer.route?.path)
      .filter((path) => typeof path === 'string');
}
