import { type SessionResolver } from './session-resolvers.js';

/** The options of the module that this room reads, and two questions about its clients. */
export class GuardSettings {
  constructor(
    /** Seconds. */
    readonly maxSessionLifetime: number,
    readonly sessionFrom: readonly SessionResolver[],
    /** How far a logout at this issuer reaches; undefined where no client is configured for the issuer. */
    readonly logoutScopeOf: (issuer: string) => 'session' | 'user' | undefined,
    /** OneID tells this app nothing of the clients that are no longer configured, so their sessions do not count. */
    readonly isConfiguredClient: (issuer: string, clientId: string) => boolean,
  ) {}
}
