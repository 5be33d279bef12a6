import 'reflect-metadata';
import { type Abstract, type FactoryProvider, type Provider, type Type } from '@nestjs/common';
import { PARAMTYPES_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js';

type Token = Type | Abstract<unknown> | string | symbol;
type Dependency = Token | { readonly token: Token; readonly optional?: boolean } | undefined;

/**
 * Makes the objects of a Nest module from the module's own list of providers, each once, as Nest does, but in a tenth of
 * the time. So the simulation is wired as an app is, and has no list of its own that could differ.
 */
export class Wiring {
  private readonly made = new Map<Token, Promise<unknown>>();
  private readonly byToken = new Map<Token, Provider>();

  /**
   * @param module its providers
   * @param given the parts that the simulation brings
   */
  constructor(
    private readonly module: Type,
    given: ReadonlyMap<Token, unknown>,
  ) {
    for (const provider of Reflect.getMetadata('providers', module) as Provider[]) {
      this.byToken.set(typeof provider === 'function' ? provider : (provider.provide as Token), provider);
    }
    for (const [token, value] of given) this.made.set(token, Promise.resolve(value));
  }

  /** All objects that were made so far. */
  async all(): Promise<unknown[]> {
    return Promise.all(this.made.values());
  }

  /** Gives a part that needs another one. Call it before anything is made that uses it. */
  give(token: Token, value: unknown): void {
    this.made.set(token, Promise.resolve(value));
  }

  get<T>(token: Type<T> | Abstract<T>): Promise<T> {
    return this.find(token) as Promise<T>;
  }

  private find(token: Token): Promise<unknown> {
    let made = this.made.get(token);
    if (made === undefined) {
      made = this.make(token);
      this.made.set(token, made);
    }
    return made;
  }

  private async make(token: Token): Promise<unknown> {
    const provider = token === this.module ? this.module : this.byToken.get(token);
    if (provider === undefined) throw new Error(`The module has no provider for ${nameOf(token)}`);
    if (typeof provider === 'function') return this.construct(provider);
    if ('useFactory' in provider) {
      const { useFactory, inject = [] } = provider as FactoryProvider<unknown>;
      return useFactory(...(await this.findAll(inject as Dependency[])));
    }
    throw new Error(`The provider of ${nameOf(token)} is of a kind that the simulation does not know`);
  }

  private async construct(type: Type): Promise<unknown> {
    const types = (Reflect.getMetadata(PARAMTYPES_METADATA, type) ?? []) as Dependency[];
    const named = (Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, type) ?? []) as { index: number; param: Token }[];
    const dependencies = types.map((one, index) => named.find((other) => other.index === index)?.param ?? one);
    return new type(...(await this.findAll(dependencies))) as unknown;
  }

  private async findAll(dependencies: readonly Dependency[]): Promise<unknown[]> {
    const found: unknown[] = [];
    for (const dependency of dependencies) {
      if (dependency === undefined) throw new Error('A dependency is undefined: a circle of imports?');
      const token = typeof dependency === 'object' ? dependency.token : dependency;
      found.push(await this.find(token));
    }
    return found;
  }
}

function nameOf(token: Token): string {
  return typeof token === 'function' ? token.name : String(token);
}
