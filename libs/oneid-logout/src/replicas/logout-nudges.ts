/**
 * Tells the other replicas that there is a new logout in the database, and hears the same from them. A lost nudge costs
 * only time: the next regular look at the database finds the logout.
 */
export interface LogoutNudges {
  /**
   * Starts to listen, and listens again by itself after the connection was lost.
   *
   * @param onNudge called when another replica may have recorded a logout
   */
  open(onNudge: () => void): void;

  /** Nudges the other replicas; rejects when the nudge cannot be sent now. */
  send(): Promise<unknown>;

  close(): Promise<void>;
}

/** How often to check that a connection still works, and how long the check may take: milliseconds. */
export const PING_INTERVAL = 15_000;
export const PING_TIMEOUT = 5_000;
