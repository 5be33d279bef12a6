import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { CompactEncrypt } from 'jose';
import { type TokenRepository } from '../store/token.repository.js';
import { TokenVault } from './token-vault.js';

/** A repository of one row. */
class OneRow implements Pick<TokenRepository, 'find' | 'insert' | 'save' | 'maxTokenLength'> {
  idToken: string | null = '';
  refreshToken: string | null = null;
  writes = 0;
  constructor(readonly maxTokenLength = Infinity) {}
  insert(_sessionId: string, idToken: string | null, refreshToken: string | null): Promise<void> {
    this.writes += 1;
    Object.assign(this, { idToken, refreshToken });
    return Promise.resolve();
  }
  save = (sessionId: string, idToken: string | null, refreshToken: string | null) =>
    this.insert(sessionId, idToken, refreshToken);
  find(sessionId: string) {
    const { idToken } = this;
    const session = { sessionId, issuer: 'i', clientId: 'c', targetSid: null };
    return Promise.resolve({ ...session, idToken, refreshToken: null, revokedAt: null });
  }
}

const [first, second] = ['the first secret, long enough to be one', 'the second secret, long enough too'] as const;
const vaultOf = (row: OneRow, ...secrets: string[]) => new TokenVault(row as unknown as TokenRepository, secrets);

describe('TokenVault', () => {
  it('decrypts its own token, for the same session, with a secret that it still has', async () => {
    const row = new OneRow();
    await vaultOf(row, first).store('session', { idToken: 'token' });

    expect(row.idToken).not.toContain('token');
    expect(await vaultOf(row, second, first).load('session')).toEqual({ idToken: 'token', refreshToken: undefined });
    expect(await vaultOf(row, first).load('another')).toEqual({ idToken: undefined, refreshToken: undefined });
    expect(await vaultOf(row, second).load('session')).toEqual({ idToken: undefined, refreshToken: undefined });
    expect(await vaultOf(row).load('session')).toBeUndefined();
  });

  describe('with a token that the database cannot store', () => {
    afterEach(() => void jest.restoreAllMocks());
    const secret = 'x'.repeat(1_000);
    const longIdToken =
      'Could not store an ID token, because it is too long for this database: ' +
      '1490 characters when encrypted, at most 1489. Logouts of its session send no id_token_hint to OneID.';

    it('S15: stores the other token, and the log names the length and no token', async () => {
      const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const row = new OneRow(1_489);
      await vaultOf(row, first).store('session', { idToken: secret, refreshToken: 'short' });

      expect([row.idToken, typeof row.refreshToken]).toEqual([null, 'string']);
      expect(warned.mock.calls).toEqual([[longIdToken]]);
    });

    it('S15: stores a token that just fits, without a word', async () => {
      const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const row = new OneRow(1_490);
      await vaultOf(row, first).store('session', { idToken: secret });

      expect(row.idToken).toHaveLength(1_490);
      expect(warned).not.toHaveBeenCalled();
    });

    it('S15: writes nothing when no token is left, at a sign-in and at a refresh', async () => {
      const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const row = new OneRow(100);
      await vaultOf(row, first).store('session', { idToken: secret });
      await vaultOf(row, first).replace('session', { refreshToken: secret });

      expect(row.writes).toBe(0);
      expect(String(warned.mock.calls[1]?.[0])).toBe(
        'Could not store a refresh token, because it is too long for this database: ' +
          '1490 characters when encrypted, at most 100. The library cannot revoke it.',
      );
    });
  });

  it.each([undefined, 'unknown'])(
    'does not decrypt a token that was encrypted with another secret, key id %s',
    async (kid) => {
      const row = new OneRow();
      const sealed = new TextEncoder().encode(JSON.stringify({ session: 'session', token: 'forged' }));
      const header = { alg: 'dir', enc: 'A256GCM', ...(kid !== undefined && { kid }) };
      row.idToken = await new CompactEncrypt(sealed).setProtectedHeader(header).encrypt(new Uint8Array(32));

      expect(await vaultOf(row, first).load('session')).toEqual({ idToken: undefined, refreshToken: undefined });
    },
  );
});
