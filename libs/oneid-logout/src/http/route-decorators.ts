import { type Type } from '@nestjs/common';

/** A decorator of the host's that can stand on a class or on a method, as Nest's `SetMetadata` makes them. */
export type RouteDecorator = ClassDecorator & MethodDecorator;

const ROUTE = 'path';

/**
 * A controller of its own with the host's decorators on the class and on each route: many guards look only at the
 * route. The given controller stays as it is, for other registrations in the process.
 */
export function withDecorators(controller: Type, decorators: readonly RouteDecorator[]): Type {
  const decorated = { [controller.name]: class extends (controller as Type<object>) {} }[
    controller.name
  ] as Type<object>;
  for (const key of Reflect.getMetadataKeys(controller) as string[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, controller), decorated);
  }
  for (const name of Object.getOwnPropertyNames(controller.prototype)) copyRoute(controller, decorated, name);
  for (const decorate of decorators) {
    decorate(decorated);
    for (const name of Object.getOwnPropertyNames(decorated.prototype)) {
      const descriptor = Object.getOwnPropertyDescriptor(decorated.prototype, name);
      if (name !== 'constructor' && descriptor) decorate(decorated.prototype as object, name, descriptor);
    }
  }
  return decorated;
}

/** Metadata lies on the function itself, so each route gets a function of its own. */
function copyRoute(from: Type, to: Type<object>, name: string): void {
  const method = (from.prototype as Record<string, unknown>)[name];
  if (typeof method !== 'function' || !Reflect.hasMetadata(ROUTE, method)) return;
  const route = function (this: unknown, ...args: unknown[]): unknown {
    return method.apply(this, args) as unknown;
  };
  for (const key of Reflect.getMetadataKeys(method) as string[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), route);
  }
  Object.defineProperty(to.prototype, name, { value: route, writable: true, configurable: true });
}
