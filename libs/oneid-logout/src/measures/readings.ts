/** What the metrics read when they are collected. */
export interface Readings {
  /** The state of this replica, without I/O. */
  readonly status: () => {
    /** Absent while the replica does not follow the logouts of others. */
    readonly stalenessMs?: number;
    readonly openConnections: number;
    readonly unrecordedLogouts: number;
    readonly undecidedLogouts: number;
  };
  /** Asks the database how many logouts may have refresh tokens to revoke. */
  readonly pendingRevocations: () => Promise<number>;
}
