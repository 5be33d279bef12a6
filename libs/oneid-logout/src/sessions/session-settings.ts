/** The module's options that `sessions/` reads. */
export abstract class SessionSettings {
  /** Seconds. */
  abstract readonly maxSessionLifetimeSeconds: number;
}
