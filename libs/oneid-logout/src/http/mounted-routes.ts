import { type AbstractHttpAdapter } from '@nestjs/core';

/** Full paths of the routes that the host's framework has mounted, prefixes and all. */
export type MountedRoutes = () => readonly string[];

interface ExpressLayer {
  readonly route?: { readonly path?: unknown };
}

/**
 * Watches which routes get mounted. Call it before Nest registers routes; ask afterwards.
 *
 * Reading them off the framework sees what really happened, whatever combination of global prefix, `RouterModule` and
 * versioning led there.
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
