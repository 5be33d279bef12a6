import { type SessionResolver } from './session-resolvers.js';

/** The module options that the guard reads, and two functions about the configured clients. */
export class GuardSettings {
  constructor(
    /** Seconds. */
    readonly maxSessionLifetimeSeconds: number,
    readonly sessionFrom: readonly SessionResolver[],
    /** The reach of a logout at this issuer: one session or all of its user; undefined if no client is configured. */
    readonly logoutScopeOf: (issuer: string) => 'session' | 'user' | undefined,
    /** OneID does not tell this app about logouts of unconfigured clients, so their sessions do not count. */
    readonly isConfiguredClient: (issuer: string, clientId: string) => boolean,
    /** Milliseconds; undefined without the option `maxIdleSeconds`. */
    readonly maxIdleMs?: number,
  ) {}
}
