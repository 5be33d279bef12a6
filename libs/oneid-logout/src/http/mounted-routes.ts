import { type AbstractHttpAdapter } from '@nestjs/core';

/** Full paths of the routes that the host's framework has mounted, with all prefixes. */
export type MountedRoutes = () => readonly string[];

interface ExpressLayer {
  readonly route?: { readonly path?: unknown };
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
  return () => {
    const { router } = adapter.getInstance<{ router?: { stack?: readonly ExpressLayer[] } }>();
    return (router?.stack ?? []).map((layer) => layer.route?.path).filter((path) => typeof path === 'string');
  };
}
