import { type Type } from '@nestjs/common';
import { InvalidOptionsError } from '../oneid-logout.errors.js';

/**
 * A host app decorator that works on a class and on a method, for example one made with Nest's `SetMetadata`.
 *
 * @inline
 */
export type RouteDecorator = ClassDecorator & MethodDecorator;

const ROUTE = 'path';

/**
 * Makes a subclass of the controller, with the host's decorators on the class and on each route: many guards look only
 * at the route. The given controller does not change, because other registrations in the process use it too.
 *
 * @param decorators in the order in which they would be written above the class and above each route, top first
 * @throws {InvalidOptionsError} they are not a list of decorators
 */
export function withDecorators(controller: Type, decorators: readonly RouteDecorator[]): Type {
  refuseOthers(decorators);
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

function refuseOthers(decorators: unknown): void {
  if (!Array.isArray(decorators)) {
    throw new InvalidOptionsError(['routeDecorators is not a list. Give it a list: routeDecorators: [Public()]']);
  }
  const faults = decorators.flatMap((decorator: unknown, index) => {
    if (typeof decorator === 'function' && !makesDecorators(decorator as RouteDecorator)) return [];
    const came =
      typeof decorator === 'function' ? `the function ${decorator.name}` : `a value of type ${typeof decorator}`;
    return [`routeDecorators[${index}] is ${came}, not a decorator. Call the function that makes it: [Public()]`];
  });
  if (faults.length > 0) throw new InvalidOptionsError(faults);
}

/** A class decorator returns nothing or a class, and a function that makes decorators returns a function without prototype. */
function makesDecorators(decorator: RouteDecorator): boolean {
  class Trial {}
  const returned: unknown = Reflect.apply(decorator, undefined, [Trial]);
  return typeof returned === 'function' && returned !== Trial && !(returned.prototype instanceof Trial);
}

/** Nest stores a route's metadata on its function, so each route gets a new function. */
function addRoute(
  prototype: object,
  name: string,
  method: (...args: unknown[]) => unknown,
  decorators: readonly RouteDecorator[],
): void {
  const route = function (this: unknown, ...args: unknown[]): unknown {
    return method.apply(this, args);
  };
  // a throttler counts by the names of class and function
  Object.defineProperty(route, 'name', { value: name });
  copyMetadata(method, route);
  const descriptor = { value: route, writable: true, configurable: true };
  Object.defineProperty(prototype, name, descriptor);
  if (decorators.length === 0) return;
  const replaced = Reflect.decorate([...decorators], prototype, name, descriptor);
  // a decorator may replace the function and lose the metadata that makes it a route
  if (typeof replaced.value === 'function') copyMetadata(route, replaced.value as object);
  Object.defineProperty(prototype, name, replaced);
}

function copyMetadata(from: object, to: object): void {
  for (const key of Reflect.getMetadataKeys(from) as string[]) {
    if (!Reflect.hasOwnMetadata(key, to)) Reflect.defineMetadata(key, Reflect.getMetadata(key, from), to);
  }
}
