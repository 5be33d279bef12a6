import { hkdfSync } from 'node:crypto';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { Logger } from '../logger.js';
import { type TokenRepository } from '../store/token.repository.js';
import { digest } from '../rule/targets.js';

/**
 * A session's tokens, decrypted. The ID token may be missing: a logout erases both tokens, and a refresh that ends
 * after the logout may store a refresh token alone.
 */
export interface OneIdTokens {
  readonly idToken?: string | undefined;
  readonly refreshToken?: string | undefined;
}

/** For the log: a token that is too long for the database, and what follows from it. */
const TOO_LONG = {
  idToken: ['an ID token', 'Logouts of its session send no id_token_hint to OneID.'],
  refreshToken: ['a refresh token', 'The library cannot revoke it.'],
} as const;

interface VaultKey {
  readonly id: string;
  readonly key: Uint8Array;
}

/**
 * Stores tokens encrypted at rest (JWE, A256GCM), each bound to its session. Without secrets it stores no tokens.
 *
 * The first secret encrypts, and every secret decrypts. docs/secrets.md tells how to change secrets on several
 * replicas.
 */
export class TokenVault {
  private readonly logger = new Logger('OneIdLogout');
  private readonly keys: readonly VaultKey[];

  constructor(
    private readonly repository: TokenRepository,
    secrets: readonly string[],
  ) {
    this.keys = secrets.map((secret) => {
      const key = new Uint8Array(hkdfSync('sha256', secret, '', 'oneid-logout tokens at rest', 32));
      return { key, id: digest(['oneid-logout key id', Buffer.from(key).toString('hex')]).slice(0, 16) };
    });
  }

  get storesTokens(): boolean {
    return this.keys.length > 0;
  }

  /** Stores the first tokens of a session. A repeated sign-in does not replace tokens that are already stored. */
  async store(sessionId: string, tokens: OneIdTokens): Promise<void> {
    const [encryptionKey] = this.keys;
    if (encryptionKey === undefined) return;
    const { idToken, refreshToken } = await this.seal(encryptionKey, sessionId, tokens);
    if ((idToken ?? refreshToken) !== null) await this.repository.insert(sessionId, idToken, refreshToken);
  }

  /** Replaces the session's tokens after a refresh. A token that is not given keeps its stored value. */
  async replace(sessionId: string, tokens: OneIdTokens): Promise<void> {
    const [encryptionKey] = this.keys;
    if (encryptionKey === undefined) return;
    const { idToken, refreshToken } = await this.seal(encryptionKey, sessionId, tokens);
    if ((idToken ?? refreshToken) !== null) await this.repository.save(sessionId, idToken, refreshToken);
  }

  /**
   * Returns the tokens of a session; undefined if no tokens are stored, or without secrets. A single token is undefined
   * if no current secret opens it.
   */
  async load(sessionId: string): Promise<OneIdTokens | undefined> {
    if (this.keys.length === 0) return undefined;
    const stored = await this.repository.find(sessionId);
    if (stored === undefined) return undefined;
    return {
      idToken: await this.open(sessionId, stored.idToken),
      refreshToken: await this.open(sessionId, stored.refreshToken),
    };
  }

  /** Decrypts one token; undefined if it is null, or was sealed with another secret or for another session. */
  async open(sessionId: string, ciphertext: string | null): Promise<string | undefined> {
    if (ciphertext === null) return undefined;
    try {
      const { plaintext } = await compactDecrypt(ciphertext, (header) => this.keyOf(header.kid), {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      const sealed = JSON.parse(new TextDecoder().decode(plaintext)) as { session: string; token: string };
      return sealed.session === sessionId ? sealed.token : undefined;
    } catch {
      return undefined;
    }
  }

  private keyOf(id: unknown): Uint8Array {
    const known = this.keys.find((key) => key.id === id);
    if (known === undefined) throw new Error('The token was encrypted with another secret');
    return known.key;
  }

  /** Encrypts the tokens. Null stands for a token that is missing, and for one that the database cannot store. */
  private async seal(key: VaultKey, sessionId: string, tokens: OneIdTokens) {
    const encrypt = async (kind: keyof OneIdTokens) => {
      const token = tokens[kind];
      if (token === undefined) return null;
      const sealed = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ session: sessionId, token })))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: key.id })
        .encrypt(key.key);
      return this.fits(kind, sealed.length) ? sealed : null;
    };
    return { idToken: await encrypt('idToken'), refreshToken: await encrypt('refreshToken') };
  }

  private fits(kind: keyof OneIdTokens, length: number): boolean {
    const { maxTokenLength } = this.repository;
    if (length <= maxTokenLength) return true;
    const [what, consequence] = TOO_LONG[kind];
    this.logger.warn(
      `Could not store ${what}, because it is too long for this database: ${length} characters when encrypted, at most ` +
        `${maxTokenLength}. ${consequence}`,
    );
    return false;
  }
}
