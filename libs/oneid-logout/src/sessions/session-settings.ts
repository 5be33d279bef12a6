import { type SessionResolver } from './session-resolvers.js';

/** What this room needs of the module's options, so that it need not know them. */
export abstract class SessionSettings {
  /** Milliseconds. */
  abstract readonly maxSessionLifetime: number;
  abstract readonly sessionFrom: readonly SessionResolver[];
  /** How far a logout at this issuer reaches; undefined for an issuer that is not ours. */
  abstract logoutScopeOf(issuer: string): 'session' | 'user' | undefined;
}
