import { KeyObject, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';

/**
 * A key pair that signs tokens with one algorithm.
 */
export interface SigningKey {
  /** JWS algorithm, for example `RS256`. */
  readonly alg: string;
  /** Key id, a UUID. */
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** The public half as the JWKS shows it, with `kid`, `alg` and `use: 'sig'`. */
  readonly publicJwk: JWK;
  /** The public half as SPKI PEM: the "secret" of an RS256-to-HS256 confusion attack. */
  readonly publicPem: string;
}

/**
 * Makes a key pair for a JWS algorithm (`RS256`, `PS256`, `ES256`, `EdDSA`, …). The key is in no JWKS.
 *
 * @example
 * ```ts
 * await oneId.logoutToken({ clientId: 'shop', key: await createSigningKey('RS256') }); // signed with an unknown key
 * ```
 */
export async function createSigningKey(alg = 'RS256'): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  const publicKey = KeyObject.from(pair.publicKey);
  return {
    alg,
    kid,
    privateKey: KeyObject.from(pair.privateKey),
    publicJwk: { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' },
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}

export interface KeyRotation {
  /** Algorithm of the new key; the old key's by default. */
  alg?: string;
  /** Whether the JWKS goes on serving the older keys; true by default. */
  keepOld?: boolean;
}

/** The provider's keys. The current key signs; the JWKS lists all published keys, the current key first. */
export class SigningKeys {
  #current: SigningKey;
  #published: readonly SigningKey[];

  constructor(key: SigningKey) {
    this.#current = key;
    this.#published = [key];
  }

  get current(): SigningKey {
    return this.#current;
  }

  get jwks(): JSONWebKeySet {
    return { keys: this.#published.map(({ publicJwk }) => publicJwk) };
  }

  async rotate({ alg = this.#current.alg, keepOld = true }: KeyRotation): Promise<SigningKey> {
    const key = await createSigningKey(alg);
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
