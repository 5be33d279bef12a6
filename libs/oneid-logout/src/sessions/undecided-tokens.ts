import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { BackgroundJob } from '../background-job.js';
import { Clock, type Moment } from '../clock.js';
import { Logger } from '../logger.js';
import {
  InvalidLogoutTokenError,
  ProviderMisconfiguredError,
  ProviderUnavailableError,
  StoreUnavailableError,
} from '../oneid-logout.errors.js';
import { LogoutTokenVerifier, type VerifiedLogoutToken } from '../provider/logout-token.js';
import { Random } from '../random.js';
import { LogoutInbox } from './logout-inbox.js';

/** How often to verify the kept tokens again, milliseconds. The provider's keys have a longer cool-down. */
const INTERVAL = 5_000;

/** How long the replica keeps a token that it can't decide, milliseconds: twenty cool-downs of the provider's keys. */
const UNDECIDED_FOR = 10 * 60 * 1000;

/** How many tokens the replica keeps at most, how many bytes they have together, and how many it verifies at once. */
export const MOST_UNDECIDED = 1_000;
export const MOST_UNDECIDED_BYTES = 4 * 1024 * 1024;
const BATCH = 100;

/** Shortest time between two lines of the log about a full budget, milliseconds. */
const LOG_PAUSE = 60_000;

interface UndecidedToken {
  /** A copy: the string that the request brought may be a part of a longer one, which would stay in memory. */
  readonly text: Buffer;
  readonly receivedAt: Moment;
}

/** A logout token on its way: first it is verified, then its logout is recorded. Both promises may reject. */
export interface Reception {
  readonly verified: Promise<VerifiedLogoutToken>;
  readonly recorded: Promise<void>;
}

/**
 * Verifies the logout tokens of OneID. The replica keeps a token that it can't decide now, because the provider's keys
 * or the database's clock can't be had, and decides it later: Hydra sends it for three minutes at most, Keycloak once.
 * Until then the token has no effect. Any stranger can send such tokens, so they have a budget of their own and never
 * take the place of a verified logout.
 */
@Injectable()
export class UndecidedTokens extends BackgroundJob {
  private readonly logger = new Logger('OneIdLogout');
  /** By the hash of the token's text, in the order of their first failed decision. */
  private readonly kept = new Map<string, UndecidedToken>();
  private bytes = 0;
  /** The answer to OneID may come earlier than the end of these. */
  private readonly underWay = new Set<Promise<void>>();
  private loggedFullAt: number | undefined;

  constructor(
    private readonly verifier: LogoutTokenVerifier,
    private readonly inbox: LogoutInbox,
    clock: Clock,
    random: Random,
  ) {
    super('deciding logout tokens that could not be decided', INTERVAL, clock, random);
  }

  /** How many tokens wait for a decision. */
  get size(): number {
    return this.kept.size;
  }

  /**
   * Verifies a token and records its logout. Both go on when the caller no longer waits for them.
   *
   * - `verified` rejects with {@link InvalidLogoutTokenError} when the token fails a check; with
   *   {@link ProviderUnavailableError}, {@link ProviderMisconfiguredError} or {@link StoreUnavailableError} when it
   *   can't be decided now. The replica then keeps the token if there is room.
   * - `recorded` rejects likewise, and with {@link StoreUnavailableError} when {@link LogoutInbox} keeps the logout.
   */
  receive(token: string, receivedAt: Moment): Reception {
    const verified = this.decide(token, receivedAt);
    const recorded = verified.then((logout) => this.inbox.record(logout));
    const ended: Promise<void> = recorded.catch(() => undefined).finally(() => this.underWay.delete(ended));
    this.underWay.add(ended);
    return { verified, recorded };
  }

  /**
   * Decides the kept tokens once more, with keys that are fetched for it. Call it when no request comes any more, and
   * before the inbox stops.
   */
  override async stop(): Promise<void> {
    await super.stop();
    await Promise.all(this.underWay);
    if (this.kept.size === 0) return;
    // all tokens wait for the same fetch, so a provider that hangs can't hold up the app for long
    await Promise.all([this.verifier.refreshKeys(), this.decideKept(MOST_UNDECIDED)]);
    if (this.size === 0) return;
    this.logger.error(
      `The library could not decide ${this.kept.size} logout tokens of OneID before the app stopped. ` +
        'Their sessions end only if OneID sends these tokens again, which it does for three minutes at most.',
    );
  }

  protected async work(): Promise<void> {
    try {
      await this.decideKept(BATCH);
    } finally {
      // a clock may have stepped, so a token is tried before it is given up
      this.forgetOld();
    }
  }

  private async decide(token: string, receivedAt: Moment): Promise<VerifiedLogoutToken> {
    // a token that OneID sends again counts from its first receipt
    const known = this.kept.size === 0 ? undefined : this.kept.get(tokenKeyOf(token));
    try {
      const logout = await this.verifier.verify(token, known?.receivedAt ?? receivedAt);
      this.forget(token);
      return logout;
    } catch (error) {
      if (error instanceof InvalidLogoutTokenError) {
        this.logger.warn(`Refused a logout token: ${error.code}: ${error.message}`);
        this.forget(token);
      }
      if (isUndecided(error)) this.keep(token, receivedAt);
      throw error;
    }
  }

  private keep(token: string, receivedAt: Moment): void {
    const key = tokenKeyOf(token);
    if (this.kept.has(key)) return;
    const text = Buffer.from(token);
    if (this.kept.size >= MOST_UNDECIDED || this.bytes + text.length > MOST_UNDECIDED_BYTES) {
      this.logFull();
      return;
    }
    this.kept.set(key, { text, receivedAt });
    this.bytes += text.length;
  }

  private forget(token: string): void {
    if (this.kept.size > 0) this.forgetKey(tokenKeyOf(token));
  }

  private forgetKey(key: string): void {
    this.bytes -= this.kept.get(key)?.text.length ?? 0;
    this.kept.delete(key);
  }

  private forgetOld(): void {
    let lost = 0;
    for (const [key, { receivedAt }] of this.kept) {
      if (this.clock.monotonicNow() - receivedAt.monotonic <= UNDECIDED_FOR) continue;
      this.forgetKey(key);
      lost += 1;
    }
    if (lost === 0) return;
    this.logger.error(
      `The library could not decide ${lost} logout tokens of OneID for ten minutes, and gives them up. ` +
        'Their sessions stay alive until they expire. Look why the keys of OneID, or the session store, were out of reach.',
    );
  }

  /** Tokens that are verified at the same time share one fetch, and their logouts share a statement. */
  private async decideKept(batch: number): Promise<void> {
    const tokens = [...this.kept.values()];
    const failures: unknown[] = [];
    for (let n = 0; n < tokens.length; n += batch) {
      const decisions = tokens.slice(n, n + batch).map(async ({ text, receivedAt }) => {
        await this.inbox.record(await this.decide(text.toString(), receivedAt));
      });
      for (const outcome of await Promise.allSettled(decisions)) {
        if (outcome.status === 'rejected') failures.push(outcome.reason);
      }
    }
    const unexpected = failures.filter((error) => !isUndecided(error) && !(error instanceof InvalidLogoutTokenError));
    if (unexpected.length > 0) throw unexpected[0];
  }

  private logFull(): void {
    const now = this.clock.monotonicNow();
    if (this.loggedFullAt !== undefined && now - this.loggedFullAt < LOG_PAUSE) return;
    this.loggedFullAt = now;
    this.logger.error(
      `The replica keeps ${this.kept.size} logout tokens (${this.bytes} bytes) that it can't decide yet, and has no room ` +
        'for more. It loses the next ones unless OneID sends them again, which it does for three minutes at most. ' +
        'Look why the keys of OneID, or the session store, are out of reach.',
    );
  }
}

/** Can a later try end differently? Also when the operator first has to correct the options, or the provider. */
function isUndecided(error: unknown): boolean {
  return (
    error instanceof ProviderUnavailableError ||
    error instanceof ProviderMisconfiguredError ||
    error instanceof StoreUnavailableError
  );
}

/** Identifies a logout token by its text, in little memory. */
export function tokenKeyOf(token: string): string {
  return hash('sha256', token, 'hex');
}
