import { type KeyObject } from 'node:crypto';
import { type Clock, type Moment } from '../clock.js';
import { Logger } from '../logger.js';
import { ProviderMisconfiguredError, providerError, ProviderUnavailableError } from '../oneid-logout.errors.js';
import { CachedResource, type Fetched } from './cached-resource.js';
import { type AnswerAge, answerAge, isNewerThan } from './freshness.js';
import { type KeyFault, KeySet } from './key-set.js';
import { NOT_THERE, type ProviderFetch } from './provider-fetch.js';
import { shown } from './token-claims.js';
import { type SignatureResult, type Signer, type TokenKeys } from './token-keys.js';

/** The time in which the budget of key fetches grows by one, milliseconds: forged tokens can't flood the provider. */
const KEYS_COOL_DOWN = 30 * 1000;

/**
 * `burst`: a forged token with a fresh `iat` costs one fetch. With a few fetches left, a genuine new key does not have
 * to wait for the cool-down after it.
 */
const TIMES = { maxAge: 60 * 60 * 1000, coolDown: KEYS_COOL_DOWN, burst: 3 };

/** How long {@link ProviderKeys.signerOf} waits for a fetch, milliseconds: a user waits for the answer. */
const SIGNER_PATIENCE = 1_000;

interface ServedKeys extends AnswerAge {
  readonly uri: string;
  readonly set: KeySet;
}

/** The provider's signing keys, from `jwks_uri` only. Keys that a token's header offers are never used. */
export class ProviderKeys implements TokenKeys {
  private readonly logger = new Logger('OneIdLogout');
  private readonly keys: CachedResource<ServedKeys>;
  /** The newest attempt whose keys the log has called useless. */
  private toldAttempt = 0;

  constructor(
    jwksUri: () => Promise<string>,
    private readonly clock: Clock,
    fetch: ProviderFetch,
  ) {
    const load = async () => fetchKeys(await jwksUri(), fetch);
    this.keys = new CachedResource(load, clock, TIMES, "the provider's keys");
  }

  async verify(jws: string, algorithm: string, issuedAtMs: number, receivedAt?: Moment): Promise<SignatureResult> {
    const found = await this.find(jws, algorithm, issuedAtMs, receivedAt);
    if (typeof found !== 'string') return 'valid';
    return found === 'key_unknown' ? found : 'invalid';
  }

  /**
   * Finds the key that has signed a compact JWS. A token that no known key has signed may have a newer key, also under a
   * known `kid`: Hydra 1.11 makes its key anew under the same one. So this fault is final only with keys that are newer
   * than the token ({@link isNewerThan}). Otherwise the keys are fetched again.
   *
   * @param algorithm the only `alg` allowed
   * @param issuedAtMs the latest time at which the token may have been made, milliseconds
   * @param receivedAt when this process first received the token; by default in this call
   * @throws {ProviderUnavailableError} 503: the keys can't be had; or they may be older than the token, and can't be
   *   fetched again now
   * @throws {ProviderMisconfiguredError} 500: what the provider answers does not fit the options
   */
  async find(jws: string, algorithm: string, issuedAtMs: number, receivedAt?: Moment): Promise<KeyObject | KeyFault> {
    const { attempts } = this.keys;
    for (;;) {
      const fetched = await this.get();
      const found = await fetched.content.set.find(jws, algorithm);
      if (typeof found !== 'string' || found === 'malformed') return found;
      if (isNewerThan(fetched, { issuedAtMs, receivedAt }, attempts)) {
        this.tellIfUseless(fetched, algorithm);
        return found;
      }
      // newer keys have come during the check
      if (this.keys.latest?.attempt !== fetched.attempt) continue;
      // a fetch that began in this call has failed, or its answer is old: another one now would bring no more
      if (this.keys.endedAttempts > attempts || !(await this.keys.refresh())) {
        throw new ProviderUnavailableError("The provider's current keys are not available, try again");
      }
    }
  }

  /**
   * Fetches the keys first, because keys of a minute ago don't show a rotation. It needs no budget: only the logout of a
   * session leads here. If the fetch fails or takes too long, the keys of the last fetch decide.
   */
  async signerOf(jws: string, algorithm: string): Promise<Signer | undefined> {
    await this.refreshWithin(SIGNER_PATIENCE);
    const set = this.keys.latest?.content.set;
    if (set === undefined) return undefined;
    const key = await set.find(jws, algorithm).catch(() => 'malformed' as const);
    if (typeof key === 'string') return 'unknown';
    return key === set.first(algorithm) ? 'newest' : 'older';
  }

  async refresh(): Promise<void> {
    await this.keys.refreshAnyway();
  }

  private async refreshWithin(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(milliseconds, resolve);
      void this.keys.refreshAnyway().finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  private async get(): Promise<Fetched<ServedKeys>> {
    try {
      return await this.keys.get();
    } catch (error) {
      throw providerError("The provider's keys are not available, try again", error);
    }
  }

  /** Tokens are refused for good while the provider publishes no key for them: this may be a lasting mistake. */
  private tellIfUseless({ content: { uri, set }, attempt }: Fetched<ServedKeys>, algorithm: string): void {
    if (set.has(algorithm) || attempt === this.toldAttempt) return;
    this.toldAttempt = attempt;
    this.logger.error(
      `The key set ${uri} has no key for ${algorithm}, so the library refuses the provider's tokens. ` +
        `It contains: ${String(set)}. Compare it with the option idTokenSignedResponseAlg.`,
    );
  }
}

/** Asks caches on the way to get the keys from the provider (RFC 9111 §5.2.1.4). */
async function fetchKeys(uri: string, fetch: ProviderFetch): Promise<ServedKeys> {
  const headers = { accept: 'application/json, application/jwk-set+json', 'cache-control': 'no-cache' };
  const response = await fetch(uri, { headers });
  const { status } = response;
  if (NOT_THERE.has(status)) throw noKeys(`${uri} answered ${status}`);
  if (status !== 200) throw new Error(`The JWKS endpoint answered ${status}`);
  const type = response.headers.get('content-type') ?? '';
  if (/^text\/html/i.test(type)) throw noKeys(`${uri} answered with a page (${shown(type)})`);
  const set = KeySet.of(await response.json());
  if (set === undefined) throw noKeys(`${uri} answered with JSON that is no key set: an object with a list of keys`);
  return { uri, set, ...answerAge(response) };
}

function noKeys(detail: string): ProviderMisconfiguredError {
  return new ProviderMisconfiguredError(
    "The provider's keys are not where its configuration says, or can't be used",
    `${detail}. Check jwks_uri in the provider's configuration, or in the option endpoints`,
  );
}
