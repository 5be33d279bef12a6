import { describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpCode, Injectable, Post, Req, SetMetadata, VERSION_NEUTRAL } from '@nestjs/common';
import { withDecorators } from './route-decorators.js';

@Injectable()
class Dependency {
  readonly name = 'dependency';
}

@Controller({ path: 'base', version: VERSION_NEUTRAL })
class Original {
  constructor(readonly dependency: Dependency) {}

  @Get('one')
  @HttpCode(202)
  one(@Req() request: string): string {
    return `${this.dependency.name} ${this.helper()} ${request}`;
  }

  @Post('two')
  two(): string {
    return 'two';
  }

  helper(): string {
    return 'helped';
  }
}

const Public = () => SetMetadata('public', true);
const Skip = () => SetMetadata('skip', { default: true });

/** All the metadata that lies on a class or a function itself. */
function metadataOf(target: object): Record<string, unknown> {
  const keys = Reflect.getOwnMetadataKeys(target) as string[];
  return Object.fromEntries(keys.map((key) => [key, Reflect.getOwnMetadata(key, target) as unknown]));
}

function method(controller: typeof Original, name: 'one' | 'two' | 'helper'): object {
  return Object.getOwnPropertyDescriptor(controller.prototype, name)?.value as object;
}

function decorate(...decorators: Parameters<typeof withDecorators>[1]): typeof Original {
  return withDecorators(Original, decorators) as typeof Original;
}

describe('withDecorators', () => {
  it('puts the decorators on the class and on each route', () => {
    const decorated = decorate(Public(), Skip());
    for (const target of [decorated, method(decorated, 'one'), method(decorated, 'two')]) {
      expect(Reflect.getOwnMetadata('public', target)).toBe(true);
      expect(Reflect.getOwnMetadata('skip', target)).toEqual({ default: true });
    }
  });

  it('A8: keeps the names of the class and of each route, because a throttler counts by them', () => {
    for (const decorated of [decorate(), decorate(Public())]) {
      expect(decorated.name).toBe('Original');
      expect(method(decorated, 'one')).toHaveProperty('name', 'one');
      expect(method(decorated, 'two')).toHaveProperty('name', 'two');
    }
  });

  it('does not change the original class or other registrations', () => {
    const before = [Original, method(Original, 'one'), method(Original, 'two')].map(metadataOf);
    const plain = decorate();
    decorate(Public());
    expect([Original, method(Original, 'one'), method(Original, 'two')].map(metadataOf)).toEqual(before);
    for (const target of [plain, method(plain, 'one')]) expect(Reflect.hasMetadata('public', target)).toBe(false);
  });

  it('keeps name, routes, parameters and dependencies', () => {
    const decorated = decorate(Public());
    expect(decorated.name).toBe('Original');
    expect(metadataOf(decorated)).toMatchObject(metadataOf(Original));
    expect(Reflect.getMetadata('design:paramtypes', decorated)).toEqual([Dependency]);
    for (const name of ['one', 'two'] as const) {
      const { public: isPublic, ...rest } = metadataOf(method(decorated, name));
      expect(isPublic).toBe(true);
      expect(rest).toEqual(metadataOf(method(Original, name)));
    }
    expect(Reflect.getMetadata('__routeArguments__', decorated, 'one')).toEqual(
      Reflect.getMetadata('__routeArguments__', Original, 'one'),
    );
  });

  it('keeps `this` inside the routes', () => {
    const decorated = decorate(Public());
    const controller = new decorated(new Dependency());
    expect(controller).toBeInstanceOf(Original);
    expect(controller.one('asked')).toBe('dependency helped asked');
    expect(controller.two()).toBe('two');
  });

  it('does not change methods that are not routes', () => {
    const decorated = decorate(Public());
    expect(Object.getOwnPropertyNames(decorated.prototype).sort()).toEqual(['constructor', 'one', 'two']);
    expect(Reflect.hasMetadata('public', method(Original, 'helper'))).toBe(false);
  });

  it('applies the decorators from the last to the first', () => {
    const decorated = decorate(SetMetadata('order', 'first'), SetMetadata('order', 'second'));
    expect(Reflect.getOwnMetadata('order', decorated)).toBe('first');
    expect(Reflect.getOwnMetadata('order', method(decorated, 'one'))).toBe('first');
  });

  it("accepts a decorator that replaces the route's function", () => {
    const louder = ((_target: object, _name?: string | symbol, descriptor?: PropertyDescriptor) => {
      if (descriptor === undefined) return undefined;
      const original = descriptor.value as (this: unknown, ...args: unknown[]) => string;
      descriptor.value = function (this: unknown, ...args: unknown[]) {
        return `${original.apply(this, args)}!`;
      };
      return descriptor;
    }) as never;
    const decorated = decorate(louder, Public());
    expect(new decorated(new Dependency()).two()).toBe('two!');
    expect(metadataOf(method(decorated, 'two'))).toEqual({ ...metadataOf(method(Original, 'two')), public: true });
  });
});
