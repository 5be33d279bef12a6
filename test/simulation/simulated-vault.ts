import { type TokenRepository } from '../../libs/oneid-logout/src/store/token.repository.js';
import { type OneIdTokens, TokenVault } from '../../libs/oneid-logout/src/tokens/token-vault.js';

/** Stores refresh tokens readable: encryption takes time, and its threads would run beside the simulated time. */
export class SimulatedVault extends TokenVault {
  private sealed = 0;

  constructor(
    private readonly tokens: TokenRepository,
    /** The process, because no two ciphertexts are equal. */
    private readonly process: string,
  ) {
    super(tokens, []);
  }

  override get storesTokens(): boolean {
    return true;
  }

  override async store(sessionId: string, { refreshToken }: OneIdTokens): Promise<void> {
    if (refreshToken !== undefined) await this.tokens.insert(sessionId, null, this.written(refreshToken));
  }

  override async replace(sessionId: string, { refreshToken }: OneIdTokens): Promise<void> {
    if (refreshToken !== undefined) await this.tokens.save(sessionId, null, this.written(refreshToken));
  }

  override open(_sessionId: string, ciphertext: string | null): Promise<string | undefined> {
    return Promise.resolve(ciphertext?.split(' ')[0]);
  }

  private written(refreshToken: string): string {
    this.sealed += 1;
    return `${refreshToken} ${this.process} ${this.sealed}`;
  }
}
