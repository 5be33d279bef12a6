import { type Type } from '@nestjs/common';

/** A decorator of the host's that can stand on a class or on a method, as Nest's `SetMetadata` makes them. */
export type RouteDecorator = ClassDecorator & MethodDecorator;

const ROUTE = 'path';

/**
 * A controller of its own with the host's decorators on the class and on each route: many guards look only at the
 * route. The given controller stays as it is, for other registrations in the process.
 *
 * @param decorators the first stands on top, as if they were written above the class and above each route
 */
export function withDecorators(controller: Type, decorators: readonly RouteDecorator[]): Type {
  const decorated = { [controller.name]: class extends (controller as Type<object>) {} }[
    controller.name
  ] as Type<object>;
  copyMetadata(controller, decorated);
  for (const name of Object.getOwnPropertyNames(controller.prototype)) {
    const method = (controller.prototype as Record<string, unknown>)[name];
    if (typeof method === 'function' && Reflect.hasMetadata(ROUTE, method)) {
      addRoute(decorated.prototype as object, name, method as (...args: unknown[]) => unknown, decorators);
    }
  }
  return decorators.length === 0 ? decorated : (Reflect.decorate([...decorators], decorated) as Type<object>);
}

/** Metadata lies on the function itself, so each route gets a function of its own. */
function addRoute(
  prototype: object,
  name: string,
  method: (...args: unknown[]) => unknown,
  decorators: readonly RouteDecorator[],
): void {
  const route = function (this: unknown, ...args: unknown[]): unknown {
    return method.apply(this, args);
  };
  copyMetadata(method, route);
  const descriptor = { value: route, writable: true, configurable: true };
  Object.defineProperty(prototype, name, descriptor);
  if (decorators.length === 0) return;
  const replaced = Reflect.decorate([...decorators], prototype, name, descriptor);
  // a decorator that puts another function in its place may forget what made the old one a route
  if (typeof replaced.value === 'function') copyMetadata(route, replaced.value as object);
  Object.defineProperty(prototype, name, replaced);
}

function copyMetadata(from: object, to: object): void {
  for (const key of Reflect.getMetadataKeys(from) as string[]) {
    if (!Reflect.hasOwnMetadata(key, to)) Reflect.defineMetadata(key, Reflect.getMetadata(key, from), to);
  }
}
