/** The module's options that `sessions/` reads. */
export abstract class SessionSettings {
  /** Seconds. */
  abstract readonly maxSessionLifetimeSeconds: number;
  /** How many sessions of one issuer, user and client may live; undefined: any number. */
  abstract readonly maxSessionsPerUser?: number | undefined;
}
