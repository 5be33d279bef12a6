/**
 * Tells other replicas that there is a logout to be found, and is told by them. Whatever gets lost here costs the time to
 * the next look at the database, and nothing else.
 */
export interface LogoutNudges {
  /**
   * Listens from now on, and by itself again after a connection was lost.
   *
   * @param onNudge called when another replica may have recorded something
   */
  open(onNudge: () => void): void;

  /** Nudges the others; fails when it can't just now. */
  send(): Promise<unknown>;

  close(): Promise<void>;
}

/** How often to ask whether a connection is still one, and how long that may take: milliseconds. */
export const PING_INTERVAL = 15_000;
export const PING_TIMEOUT = 5_000;
