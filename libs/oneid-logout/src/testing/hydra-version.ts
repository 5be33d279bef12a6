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

/**
 * The `kid` of every ID-token key that Hydra makes at boot; undefined where each key gets a random one.
 *
 * @param hydra `2` by default
 * @example
 * ```ts
 * import { createSigningKey, fixedKeyId, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
 *
 * // all tests share one key, because making an RSA key is slow
 * const signingKey = await createSigningKey('RS256', fixedKeyId('1.11'));
 *
 * export const startOneId = () => OneIdTestProvider.start({ hydra: '1.11', signingKey });
 * ```
 */
export const fixedKeyId = (hydra: HydraVersion = defaultHydra): string | undefined =>
  hydra === '1.11' ? 'public:hydra.openid.id-token' : undefined;
