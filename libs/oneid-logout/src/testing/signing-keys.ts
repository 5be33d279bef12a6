import { KeyObject, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { type HydraVersion } from './hydra-version.js';

/**
 * A key pair that signs tokens with one algorithm.
 */
export interface SigningKey {
  /** JWS algorithm, for example `RS256`. */
  readonly alg: string;
  /** Key id. */
  readonly kid: string;
  /** The private half. */
  readonly privateKey: KeyObject;
  /** The public half as the JWKS shows it, with `kid`, `alg` and `use: 'sig'`. */
  readonly publicJwk: JWK;
  /** The public half as SPKI PEM: the "secret" of an RS256-to-HS256 confusion attack. */
  readonly publicPem: string;
}

/**
 * Makes a key pair for a JWS algorithm (`RS256`, `PS256`, `ES256`, `EdDSA`, …). The key is in no JWKS. Its `kid` is a
 * random UUID by default.
 *
 * @param alg the key's `alg` (RFC 7518 §3.1)
 * @param kid the key's `kid`
 * @example
 * ```ts
 * import { createSigningKey, type OneIdTestProvider } from 'nestjs-oneid-logout/testing';
 *
 * // a token that a stranger has signed: the app must answer 400
 * export async function forgedToken(oneId: OneIdTestProvider, sid: string): Promise<string> {
 *   return oneId.logoutToken({ clientId: 'my-app', sid, key: await createSigningKey('RS256') });
 * }
 * ```
 */
export async function createSigningKey(alg = 'RS256', kid: string = randomUUID()): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const publicKey = KeyObject.from(pair.publicKey);
  return {
    alg,
    kid,
    privateKey: KeyObject.from(pair.privateKey),
    publicJwk: { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' },
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}

/** A change of the signing key, for {@link OneIdTestProvider.rotateKeys}. */
export interface KeyRotation {
  /** Algorithm of the new key; the old key's by default. */
  alg?: string;
  /**
   * Whether the JWKS goes on serving the older keys, behind the new key. By default true with `hydra: '2'`, and false
   * with `hydra: '1.11'`.
   */
  keepOld?: boolean;
  /**
   * Key id of the new key. By default a random UUID with `hydra: '2'`, and the old key's `kid` with `hydra: '1.11'`: this
   * version makes a new key under the same `kid` when it finds no keys at boot.
   */
  kid?: string;
}

/** The provider's keys. The current key signs; the JWKS lists all published keys, the current key first. */
export class SigningKeys {
  #current: SigningKey;
  #published: readonly SigningKey[];

  constructor(
    key: SigningKey,
    private readonly hydra: HydraVersion,
  ) {
    this.#current = key;
    this.#published = [key];
  }

  get current(): SigningKey {
    return this.#current;
  }

  get jwks(): JSONWebKeySet {
    return { keys: this.#published.map(({ publicJwk }) => publicJwk) };
  }

  async rotate(rotation: KeyRotation): Promise<SigningKey> {
    const sameKid = this.hydra === '1.11';
    const { alg = this.#current.alg, keepOld = !sameKid, kid = sameKid ? this.#current.kid : undefined } = rotation;
    const key = await createSigningKey(alg, kid);
    this.#current = key;
    this.#published = [key, ...(keepOld ? this.#published : [])];
    return key;
  }

  async publish(alg: string): Promise<SigningKey> {
    const key = await createSigningKey(alg);
    this.#published = [...this.#published, key];
    return key;
  }
}
