/**
 * The Ory Hydra that a OneID runs. `1.11` behaves as measured on v1.11.10, `2` as measured on v26.2.0. OneID does not
 * publish its version.
 */
export type HydraVersion = '1.11' | '2';

/**
 * The version without a choice. It gives up on a logout after three attempts, so an app that copes with it copes with
 * the five attempts of v1.11, too.
 */
export const defaultHydra: HydraVersion = '2';

/** The `kid` of every ID-token key that Hydra makes at boot; undefined where each key gets a random one. */
export const fixedKeyId = (hydra: HydraVersion = defaultHydra): string | undefined =>
  hydra === '1.11' ? 'public:hydra.openid.id-token' : undefined;
