import { type TargetKind } from './targets.js';

/** The source of a logout. `replaced`: a new sign-in has replaced the session that the browser had before. */
export type LogoutChannel = 'backchannel' | 'frontchannel' | 'app' | 'admin' | 'replaced';

/**
 * A logout is a fact: a target and at most one bound. Without a bound, the logout ends every session of the target,
 * also sessions that start later.
 */
export interface LogoutFact {
  readonly target: string;
  /** Ends sessions whose ID token was issued at this time or earlier: the provider's clock, seconds. */
  readonly issuedUntil?: number | undefined;
  /** Ends sessions registered at this time or earlier: the database's clock, milliseconds. */
  readonly registeredUntil?: number | undefined;
}

export interface NewLogout {
  /** Identifies the fact: a second insert with the same id adds no row. */
  readonly id: string;
  readonly kind: TargetKind;
  readonly target: string;
  readonly channel: LogoutChannel;
  /**
   * `none`: ends every session of the target, also later ones. `registered`: ends sessions registered until now. A
   * number: ends sessions whose ID token was issued at this time or earlier, seconds (the provider's clock).
   */
  readonly bound: 'none' | 'registered' | number;
  /** With the bound `registered`: the recorded bound is at least this time, milliseconds. */
  readonly registeredUntil?: number | undefined;
  /** `iat` of the logout token, seconds. */
  readonly issuedAt?: number | undefined;
}

/** A logout as the database holds it. */
export interface RecordedLogout extends LogoutFact {
  readonly id: string;
  readonly channel: LogoutChannel;
  /** When the logout was recorded or last touched: the database's clock, milliseconds. */
  readonly changedAt: number;
}

export interface LogoutChanges {
  /** The database's clock when the logouts were read, milliseconds. */
  readonly now: number;
  /** Whether this database holds the declaration of the replica that asks. */
  readonly declared: boolean;
  readonly logouts: readonly RecordedLogout[];
}
