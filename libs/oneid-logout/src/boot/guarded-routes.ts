import { Injectable, type Type } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { SessionAliveGuard } from '../guard/session-alive.guard.js';
import { SessionJudge } from '../guard/session-judge.js';
import { BootSettings } from './boot-settings.js';

type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;

/** How many handlers a warning names. */
const MOST_NAMED = 3;

/** Finds what `SessionAliveGuard` guards in the app. Without the option `sessionFrom`, all of it answers an error. */
@Injectable()
export class GuardedRoutes {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    private readonly judge: SessionJudge,
    private readonly settings: BootSettings,
  ) {}

  warnings(): string[] {
    if (this.settings.sessionFrom.length > 0) return [];
    const guarded = this.guarded();
    if (guarded.length === 0) return [];
    const more = guarded.length > MOST_NAMED ? ` and ${guarded.length - MOST_NAMED} more` : '';
    return [
      `The option sessionFrom is missing, and SessionAliveGuard guards ${guarded.slice(0, MOST_NAMED).join(', ')}${more}. ` +
        'The guard cannot know where a request carries its session, so it answers each request with an error (500). Set ' +
        "the option, for example sessionFrom: sessionFromCookie('session').",
    ];
  }

  private guarded(): string[] {
    const globally = this.config.getGlobalGuards().some((guard) => this.isOurs(guard)) ? ['the whole app'] : [];
    return [...globally, ...[...this.modules.values()].flatMap((module) => this.guardedIn(module))];
  }

  /** The handlers of controllers, gateways and resolvers; of a guarded class, the class. */
  private guardedIn(module: NestModule): string[] {
    const guards = new Set(
      [...module.injectables.values()].flatMap(({ instance, metatype }) => (this.isOurs(instance) ? [metatype] : [])),
    );
    if (guards.size === 0) return [];
    const has = (target: object) => guardsOn(target).some((guard) => guards.has(guard as never));
    const wrappers = [...module.controllers.values(), ...module.providers.values()];
    const classes = new Set(wrappers.flatMap(({ metatype }) => (isClass(metatype) ? [metatype] : [])));
    return [...classes].flatMap((one) => {
      if (has(one)) return [one.name];
      const prototype = one.prototype as Record<string, unknown>;
      return new MetadataScanner()
        .getAllMethodNames(prototype)
        .filter((name) => typeof prototype[name] === 'function' && has(prototype[name]))
        .map((name) => `${one.name}.${name}`);
    });
  }

  /** A subclass with a canActivate() of its own may need no session; a guard of another registration has its own options. */
  private isOurs(guard: unknown): boolean {
    return (
      guard instanceof SessionAliveGuard &&
      guard.canActivate === SessionAliveGuard.prototype.canActivate &&
      guard.asks(this.judge)
    );
  }
}

function guardsOn(target: object): readonly unknown[] {
  const guards: unknown = Reflect.getMetadata(GUARDS_METADATA, target);
  return Array.isArray(guards) ? guards : [];
}

/** A factory provider has a plain function here. */
function isClass(metatype: unknown): metatype is Type<object> {
  return typeof metatype === 'function' && typeof metatype.prototype === 'object' && metatype.prototype !== null;
}
