import { type Type } from '@nestjs/common';
import { MODULE_PATH } from '@nestjs/common/constants.js';
import { type ModulesContainer } from '@nestjs/core';

/** The modules of the library in one app: the module's class itself, and each subclass of it that the app imports. */
export class ModuleRegistrations {
  /**
   * @param modules all modules of the app
   * @param base the library's module class
   * @param own the class of the registration that asks: `base` or a subclass
   */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly base: Type,
    readonly own: Type,
  ) {}

  /** The path that `RouterModule` gives the own registration: empty, or with a leading slash. */
  get path(): string {
    return this.pathOf(this.own);
  }

  /** Tells the registrations of an app apart: the name of the own class. Undefined if the app has no other one. */
  get ownName(): string | undefined {
    return this.classes.filter((registered) => this.isRegistration(registered)).length > 1 ? this.own.name : undefined;
  }

  /**
   * Nest treats two registrations of one class as one, and mounts no routes for the second.
   *
   * @throws {Error} if the app registers the own class more than once
   */
  refuseNamesake(): void {
    const same = this.classes.filter((registered) => registered === this.own);
    if (same.length === 1) return;
    const { name } = this.own;
    throw new Error(
      `${name} is registered ${same.length} times in this app. Name several clients in one registration, or give each ` +
        `registration its own class (class Second extends ${name} {}) and its own path with RouterModule.`,
    );
  }

  /**
   * If two registrations had one path, no request would reach the routes of the second.
   *
   * @throws {Error} if another registration has the path of the own one
   */
  refuseSamePath(): void {
    const other = this.classes.find(
      (registered) =>
        registered !== this.own && this.isRegistration(registered) && this.pathOf(registered) === this.path,
    );
    if (other === undefined) return;
    throw new Error(
      `${this.own.name} and ${other.name} have the same path in this app. Give each its own path with RouterModule.`,
    );
  }

  private get classes(): Type[] {
    return [...this.modules.values()].map(({ metatype }) => metatype);
  }

  private isRegistration(registered: Type): boolean {
    return registered === this.base || registered.prototype instanceof this.base;
  }

  private pathOf(registration: object): string {
    const path: unknown = Reflect.getMetadata(MODULE_PATH + this.modules.applicationId, registration);
    return typeof path === 'string' ? path.replace(/\/$/, '') : '';
  }
}
