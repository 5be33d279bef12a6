import { type SessionResolver } from './session-resolvers.js';

/** What this room needs of the module's options, so that it need not know them. */
export class SessionSettings {
  constructor(
    /** Milliseconds. */
    readonly maxSessionLifetime: number,
    readonly sessionFrom: readonly SessionResolver[],
    /** How far a logout at this issuer reaches; undefined for an issuer that is not ours. */
    readonly logoutScopeOf: (issuer: string) => 'session' | 'user' | undefined,
    /** Is this one of the clients of today? Sessions of any other can't be logged out any more, so they don't count. */
    readonly isOurs: (issuer: string, clientId: string) => boolean,
  ) {}
}
