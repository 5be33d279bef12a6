import { type TargetKind } from './targets.js';

/** Over which way a logout reached us. */
export type LogoutChannel = 'backchannel' | 'frontchannel' | 'app' | 'admin' | 'replaced';

/** A logout is a fact: what it is aimed at, and at most one bound. Without a bound the target is over for good. */
export interface LogoutFact {
  readonly target: string;
  /** Ends sessions whose ID token was issued until then: the provider's clock, seconds. */
  readonly issuedUntil?: number | undefined;
  /** Ends sessions registered until then: the database's clock, milliseconds. */
  readonly registeredUntil?: number | undefined;
}

export interface NewLogout {
  /** Says what the fact is: recording the same id again changes nothing. */
  readonly id: string;
  readonly kind: TargetKind;
  readonly target: string;
  readonly channel: LogoutChannel;
  /**
   * `none`: over for good. `registered`: ends what was registered until now. A number: ends what the provider issued
   * until then, seconds.
   */
  readonly bound: 'none' | 'registered' | number;
  /** With the bound `registered`: ends what was registered until then in any case, milliseconds. */
  readonly registeredUntil?: number | undefined;
  /** `iat` of the logout token, seconds. */
  readonly issuedAt?: number | undefined;
}

/** A logout as it was found in the database. */
export interface RecordedLogout extends LogoutFact {
  readonly id: string;
  readonly channel: LogoutChannel;
  /** The database's clock, milliseconds. */
  readonly changedAt: number;
}

export interface LogoutChanges {
  /** The database's clock when they were read, milliseconds. */
  readonly now: number;
  /** Has whoever asks declared itself in this database? */
  readonly declared: boolean;
  readonly logouts: readonly RecordedLogout[];
}
