import { Injectable, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { routePaths } from '../http/library-routes.js';
import { type MountedRoutes, watchMountedRoutes } from '../http/mounted-routes.js';

/** One import of the module in the app. */
export interface Registration {
  /** The class that the app imports: the module's class or a subclass. */
  readonly own: Type;
  /** The path that `RouterModule` gives the registration: empty, or with a leading slash. The app may have others. */
  readonly path: string;
}

/** One of the module's routes, as the framework has mounted it. */
export interface OwnRoute {
  readonly name: keyof typeof routePaths;
  readonly method: 'GET' | 'POST';
  /** With all prefixes. */
  readonly path: string;
  readonly controller: Type;
  readonly handler: (...args: never[]) => unknown;
}

/** The module's own routes: where the framework has mounted them, and which code answers them. */
@Injectable()
export class OwnRoutes {
  private mounted: MountedRoutes = () => [];

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly modules: ModulesContainer,
  ) {}

  /** Call this before Nest mounts the routes: Fastify reports only routes that are mounted later. */
  beforeRoutes(): void {
    this.mounted = watchMountedRoutes(this.adapterHost.httpAdapter);
  }

  /** @returns the full path of a route; undefined if the framework has not mounted it, as in an app without HTTP */
  pathOf({ path }: Registration, name: keyof typeof routePaths): string | undefined {
    const paths = this.mounted().filter((mounted) => mounted.endsWith(`${path}/${routePaths[name]}`));
    // a path of another registration may have the same end after more segments, so the shortest path is ours
    return paths.sort((a, b) => a.length - b.length)[0];
  }

  allOf(registration: Registration): OwnRoute[] {
    const module = [...this.modules.values()].find(({ metatype }) => metatype === registration.own);
    const controllers = [...(module?.controllers.values() ?? [])].flatMap(({ metatype }) => metatype ?? []) as Type[];
    return (Object.keys(routePaths) as (keyof typeof routePaths)[]).flatMap((name) => {
      const path = this.pathOf(registration, name);
      if (path === undefined) return [];
      const method = name === 'backchannel' ? 'POST' : 'GET';
      return controllers.flatMap((controller) => {
        const handler = handlerOf(controller, routePaths[name]);
        return handler === undefined ? [] : [{ name, method, path, controller, handler }];
      });
    });
  }
}

function handlerOf(controller: Type, path: string): OwnRoute['handler'] | undefined {
  const methods = Object.values(Object.getOwnPropertyDescriptors(controller.prototype as object));
  return methods
    .map(({ value }) => value as unknown)
    .find(
      (value): value is OwnRoute['handler'] =>
        typeof value === 'function' && Reflect.getMetadata(PATH_METADATA, value) === path,
    );
}
