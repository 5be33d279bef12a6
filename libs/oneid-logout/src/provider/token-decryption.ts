import { compactDecrypt, decodeProtectedHeader, type JWK } from 'jose';

/** Key management for tokens encrypted to us; none that a password or a shared secret opens. */
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

/** A client that may take encrypted tokens. */
interface DecryptingClient {
  readonly idTokenEncryptedResponseAlg?: string | undefined;
  readonly idTokenEncryptedResponseEnc: string;
  readonly decryptionKeys: readonly JWK[];
}

/** The token inside, and the clients whose keys opened it. */
export interface OpenedToken<Client> {
  readonly jws: string;
  readonly clients: readonly Client[];
}

/**
 * Opens a token encrypted to one of the clients (OpenID Connect Core 1.0 §10.2).
 *
 * @returns `not_allowed` when no client takes tokens of this kind, `failed` when the keys of those that do don't open it
 */
export async function openToken<Client extends DecryptingClient>(
  jwe: string,
  clients: readonly Client[],
): Promise<OpenedToken<Client> | 'not_allowed' | 'failed'> {
  const { alg, enc, kid, zip, crit } = decodeProtectedHeader(jwe);
  const takers = clients.filter(
    (client) => client.idTokenEncryptedResponseAlg === alg && client.idTokenEncryptedResponseEnc === enc,
  );
  // compressed, a small token can unfold to a huge one
  if (alg === undefined || enc === undefined || zip !== undefined || crit !== undefined) return 'not_allowed';
  if (takers.length === 0) return 'not_allowed';
  for (const key of keysOf(takers, kid)) {
    try {
      const { plaintext } = await compactDecrypt(jwe, key, {
        keyManagementAlgorithms: [alg],
        contentEncryptionAlgorithms: [enc],
      });
      const opened = takers.filter((client) => client.decryptionKeys.includes(key));
      return { jws: new TextDecoder().decode(plaintext), clients: opened };
    } catch {
      // which step failed is told nobody: it would help to guess the plaintext
    }
  }
  return 'failed';
}

/** The key that the token names, else any. */
function keysOf(clients: readonly DecryptingClient[], kid: unknown): readonly JWK[] {
  const keys = [...new Set(clients.flatMap((client) => client.decryptionKeys))];
  const named = keys.filter((key) => kid !== undefined && key.kid === kid);
  return named.length > 0 ? named : keys;
}
