export interface Constants {
  readonly MAX_COMMIT_LATENESS: number;
  readonly MAX_LOOK_DURATION: number;
  readonly MAX_CLOCK_STEP: number;
  readonly OVERLAP: number;
  readonly RENEW_AFTER: number;
  readonly TRUSTED_FOR: number;
  readonly SESSION_RETENTION: number;
  readonly REPLICA_RETENTION: number;
  readonly STATEMENT_TIMEOUT: number;
  readonly LARGEST_STALENESS: number;
  readonly LARGEST_ALLOWANCE: number;
}

export function readConstants(): Constants;

export interface Ticks {
  /** Milliseconds. */
  readonly tick: number;
  readonly macros: Readonly<
    Record<'COMMIT_LATENESS' | 'LOOK_DURATION' | 'CLOCK_STEP' | 'OVERLAP' | 'SLOWEST_LOOK', number>
  >;
}

export function inTicks(constants: Constants): Ticks;
