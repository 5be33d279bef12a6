import { compactDecrypt, decodeProtectedHeader, type JWK } from 'jose';

/** Allowed key management: algorithms with a key pair, no password and no shared secret. */
export const KEY_MANAGEMENT_ALGORITHMS = [
  'RSA-OAEP',
  'RSA-OAEP-256',
  'RSA-OAEP-384',
  'RSA-OAEP-512',
  'ECDH-ES',
  'ECDH-ES+A128KW',
  'ECDH-ES+A192KW',
  'ECDH-ES+A256KW',
];

export const CONTENT_ENCRYPTION_ALGORITHMS = [
  'A128CBC-HS256',
  'A192CBC-HS384',
  'A256CBC-HS512',
  'A128GCM',
  'A192GCM',
  'A256GCM',
];

/** The only encryption that a client accepts, and its private keys. */
export interface TokenEncryption {
  readonly alg: string;
  readonly enc: string;
  readonly privateKeys: readonly JWK[];
}

/** The token inside, and the clients that own the key which decrypted it. */
export interface OpenedToken<Client> {
  readonly jws: string;
  readonly clients: readonly Client[];
}

/**
 * Decrypts a token for one of the clients (OpenID Connect Core 1.0 §10.2).
 *
 * @param encryptionOf the encryption that a client accepts for this kind of token; undefined: none
 * @returns `not_allowed` when no client accepts the token's header, `failed` when no key decrypts the token
 * @throws when the token's header can't be decoded
 */
export async function openToken<Client>(
  jwe: string,
  clients: readonly Client[],
  encryptionOf: (client: Client) => TokenEncryption | undefined,
): Promise<OpenedToken<Client> | 'not_allowed' | 'failed'> {
  const { alg, enc, kid, zip, crit } = decodeProtectedHeader(jwe);
  // a small compressed token could expand to a huge one, so zip is refused
  if (alg === undefined || enc === undefined || zip !== undefined || crit !== undefined) return 'not_allowed';
  const takers = clients.flatMap((client) => {
    const accepted = encryptionOf(client);
    return accepted?.alg === alg && accepted.enc === enc ? [{ client, privateKeys: accepted.privateKeys }] : [];
  });
  if (takers.length === 0) return 'not_allowed';
  const keys = new Set(takers.flatMap(({ privateKeys }) => privateKeys));
  for (const key of withKid([...keys], kid)) {
    try {
      const { plaintext } = await compactDecrypt(jwe, key, {
        keyManagementAlgorithms: [alg],
        contentEncryptionAlgorithms: [enc],
      });
      const owners = takers.filter(({ privateKeys }) => privateKeys.includes(key));
      return { jws: new TextDecoder().decode(plaintext), clients: owners.map(({ client }) => client) };
    } catch {
      // the caller never learns which step failed: this would help an attacker to guess the plaintext
    }
  }
  return 'failed';
}

/** The keys with the token's `kid`; all keys when no key has it. */
function withKid(keys: readonly JWK[], kid: unknown): readonly JWK[] {
  const named = keys.filter((key) => kid !== undefined && key.kid === kid);
  return named.length > 0 ? named : keys;
}
