import { describe, expect, it } from '@jest/globals';
import { CompactEncrypt } from 'jose';
import { type TokenRepository } from '../store/token.repository.js';
import { TokenVault } from './token-vault.js';

/** A repository of one row. */
class OneRow implements Pick<TokenRepository, 'find' | 'insert'> {
  idToken = '';
  insert(_sessionId: string, idToken: string): Promise<void> {
    this.idToken = idToken;
    return Promise.resolve();
  }
  find(sessionId: string) {
    return Promise.resolve({ sessionId, issuer: 'i', clientId: 'c', idToken: this.idToken, refreshToken: null });
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
