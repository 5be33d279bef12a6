import { type SessionResolver } from './session-resolvers.js';

/** What this room needs of the module's options, so that it need not know them. */
export class SessionSettings {
  constructor(
    /** Milliseconds. */
    readonly maxSessionLifetime: number,
    readonly sessionFrom: readonly SessionResolver[],
    /** How far a logout at this issuer reaches; undefined for an issuer that is not ours. */
    readonly logoutScopeOf: (issuer: string) => 'session' | 'user' | undefined,
  ) {}
}
