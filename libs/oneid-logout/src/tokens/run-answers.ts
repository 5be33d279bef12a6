import { type OneIdClient } from '../provider/oneid-clients.js';

/** After so many refusals that may be about one token alone, a run asks no more for this client. */
export const MOST_REFUSALS = 3;

/**
 * The answers of the providers in one run of the revoker. A provider that is down is asked only once per run, so it does
 * not delay the tokens of other providers.
 */
export class RunAnswers {
  /** Issuers. */
  private readonly down = new Set<string>();
  /** How many refusals each client has got. */
  private readonly refusals = new Map<string, number>();

  isDown({ issuer }: OneIdClient): boolean {
    return this.down.has(issuer);
  }

  isRefused({ issuer, clientId }: OneIdClient): boolean {
    return (this.refusals.get(JSON.stringify([issuer, clientId])) ?? 0) >= MOST_REFUSALS;
  }

  noteDown({ issuer }: OneIdClient): void {
    this.down.add(issuer);
  }

  /** @param count how many refusals the answer counts as */
  noteRefusal({ issuer, clientId }: OneIdClient, count: number): void {
    const key = JSON.stringify([issuer, clientId]);
    this.refusals.set(key, (this.refusals.get(key) ?? 0) + count);
  }
}
