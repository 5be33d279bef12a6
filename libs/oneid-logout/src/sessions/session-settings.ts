/** The options of the module that this room reads. */
export abstract class SessionSettings {
  /** Seconds. */
  abstract readonly maxSessionLifetime: number;
}
