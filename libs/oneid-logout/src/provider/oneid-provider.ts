import { type Clock, type Moment } from '../clock.js';
import { Logger } from '../logger.js';
import {
  ProviderMisconfiguredError,
  providerError,
  ProviderUnavailableError,
  reasonOf,
} from '../oneid-logout.errors.js';
import { isRecord, isSecureUrl, isWebUrl } from '../option-checks.js';
import { CachedResource } from './cached-resource.js';
import { type AnswerAge, answerAge, isNewerThan } from './freshness.js';
import { withoutSlash } from '../rule/issuer.js';
import { NOT_THERE, providerFetch, type ProviderFetch, RequestAbandoned } from './provider-fetch.js';
import { ProviderKeys } from './provider-keys.js';
import { presentClaims, shown } from './token-claims.js';

/** The fields of OpenID Connect Discovery 1.0 §3 that the library uses, under their wire names. */
export interface ProviderMetadata {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly end_session_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly token_endpoint?: string | undefined;
}

interface ServedMetadata extends AnswerAge {
  readonly metadata: ProviderMetadata;
}

/** The age at which metadata is fetched again, and the pause between two attempts: milliseconds. */
const TIMES = { maxAge: 60 * 60 * 1000, coolDown: 10 * 1000 };

/** The endpoints to which the library, or the user's browser, sends requests. */
const ENDPOINTS = ['jwks_uri', 'end_session_endpoint', 'revocation_endpoint'] as const;

/** One OpenID provider: its metadata and its keys, shared by all its clients. */
export class OneIdProvider {
  readonly keys: ProviderKeys;
  private readonly discovered: CachedResource<ServedMetadata>;
  private toldMissing = false;

  /**
   * @param issuer as configured, with or without the trailing slash
   * @param given the issuer and the endpoints from the options; the provider is then not asked for its metadata
   * @param allowInsecureRequests the clients' option
   */
  constructor(
    readonly issuer: string,
    private readonly given: ProviderMetadata | undefined,
    clock: Clock,
    /** Sends requests to this provider. */
    readonly fetch: ProviderFetch = providerFetch(clock),
    allowInsecureRequests = false,
  ) {
    const what = `the configuration of ${issuer}`;
    const load = async () => {
      const served = await discover(issuer, fetch, allowInsecureRequests);
      this.tellMissing(served.metadata);
      return served;
    };
    this.discovered = new CachedResource(load, clock, TIMES, what);
    if (given !== undefined) this.tellMissing(given);
    this.keys = new ProviderKeys(async () => (await this.metadata()).jwks_uri, clock, fetch);
  }

  /**
   * The provider's metadata. The `iss` of a token must equal its `issuer` exactly.
   *
   * @throws {ProviderUnavailableError} 503: the metadata has never been fetched, and can't be fetched now
   * @throws {ProviderMisconfiguredError} 500: what the provider answers is not the configuration of this issuer
   */
  async metadata(): Promise<ProviderMetadata> {
    if (this.given !== undefined) return this.given;
    try {
      return (await this.discovered.get()).content.metadata;
    } catch (error) {
      throw providerError("The provider's configuration is not available, try again", error);
    }
  }

  /** Asks for the metadata now, before a caller needs it. A failure is only logged, and the next caller asks again. */
  async ask(): Promise<void> {
    if (this.given === undefined) await this.discovered.refreshAnyway();
  }

  /**
   * Is this `iss` exactly the provider's issuer? An upgrade of OneID may add or remove the trailing slash. If only the
   * slash differs, the `iss` is refused only by metadata that is newer than the token ({@link isNewerThan}); older
   * metadata is fetched again.
   *
   * @param issuedAtMs the latest time at which the token may have been made, milliseconds
   * @param receivedAt when this process first received the token; by default in this call
   * @throws {ProviderUnavailableError} 503: the metadata may be older than the token, and can't be fetched now
   * @throws {ProviderMisconfiguredError} 500, as {@link metadata}
   */
  async isIssuer(iss: string, issuedAtMs = Infinity, receivedAt?: Moment): Promise<boolean> {
    const { attempts } = this.discovered;
    if ((await this.metadata()).issuer === iss) return true;
    if (this.given !== undefined || !this.mayBe(iss)) return false;
    const refuses = () => {
      const { latest } = this.discovered;
      return latest !== undefined && isNewerThan(latest, { issuedAtMs, receivedAt }, attempts);
    };
    if (refuses()) return false;
    await this.discovered.refresh();
    if ((await this.metadata()).issuer === iss) return true;
    if (refuses()) return false;
    throw new ProviderUnavailableError("The provider's current issuer is not available, try again");
  }

  /** Is this `iss` the configured issuer, apart from a trailing slash? Needs no fetch; {@link isIssuer} decides. */
  mayBe(iss: string): boolean {
    return withoutSlash(iss) === withoutSlash(this.issuer);
  }

  /** Logs once what does not work at this provider. */
  private tellMissing(metadata: ProviderMetadata): void {
    if (metadata.end_session_endpoint !== undefined || this.toldMissing) return;
    this.toldMissing = true;
    new Logger('OneIdLogout').warn(
      `${this.issuer} has no end_session_endpoint: a logout ends the session in this app only, and the browser goes to returnTo`,
    );
  }
}

/**
 * OpenID Connect Discovery 1.0 §4. The provider's issuer may differ from the configured one by a trailing slash. Asks
 * caches on the way to get the answer from the provider (RFC 9111 §5.2.1.4).
 *
 * @throws {ProviderMisconfiguredError} the answer is complete, but it is not the configuration of this issuer
 */
async function discover(issuer: string, fetch: ProviderFetch, allowInsecureRequests: boolean): Promise<ServedMetadata> {
  const url = `${withoutSlash(issuer)}/.well-known/openid-configuration`;
  const headers = { accept: 'application/json', 'cache-control': 'no-cache' };
  const response = await fetch(url, { headers }).catch((error: unknown) => {
    if (error instanceof ProviderMisconfiguredError || error instanceof RequestAbandoned) throw error;
    throw new Error(
      `${url} did not bring the provider's configuration: ${reasonOf(error)}. If this lasts, check the option issuer, and ` +
        'whether this host needs a proxy (option fetch)',
    );
  });
  const { status } = response;
  if (NOT_THERE.has(status)) throw noConfiguration(`${url} answered ${status}`);
  if (status !== 200) {
    throw new Error(`${url} answered ${status}, not 200. If this lasts, check the provider and the option issuer`);
  }
  const type = response.headers.get('content-type') ?? '';
  if (type !== '' && !/^application\/json *(;|$)/i.test(type)) {
    throw noConfiguration(`${url} answered with ${shown(type)}, not with application/json`);
  }
  const document: unknown = await response.json();
  const metadata = isRecord(document) ? presentClaims(document) : {};
  const { issuer: found, jwks_uri, end_session_endpoint, revocation_endpoint, token_endpoint } = metadata;
  if (typeof found !== 'string') throw noConfiguration(`${url} answered with JSON that has no issuer`);
  if (/[{}]/.test(found)) {
    throw new ProviderMisconfiguredError(
      'The provider names no issuer of its own, but a template. Configure one client for each tenant',
      `${url} names the issuer ${shown(found)}, which no token has. Configure one client for each tenant: with the ` +
        "tenant's own issuer, and with endpoints if no discovery names this issuer",
    );
  }
  if (withoutSlash(found) !== withoutSlash(issuer)) {
    throw new ProviderMisconfiguredError(
      'The provider has another issuer than the options',
      `${url} names the issuer ${shown(found)}, but the option issuer is ${shown(issuer)}. Put the provider's issuer into ` +
        'the option, because its tokens name it',
    );
  }
  if (jwks_uri === undefined) throw noConfiguration(`${url} answered with a configuration that has no jwks_uri`);
  for (const name of ENDPOINTS) {
    const endpoint = metadata[name];
    if (endpoint !== undefined && !isWebUrl(endpoint))
      throw noConfiguration(`${url}: ${name} is ${shown(endpoint)}, not a URL`);
    if (endpoint !== undefined && !allowInsecureRequests && !isSecureUrl(endpoint)) {
      throw new ProviderMisconfiguredError(
        "The provider's configuration has an endpoint without TLS",
        `${url}: ${name} is ${shown(endpoint)}, but must be an https URL (http only on loopback). If you trust this ` +
          'network, set allowInsecureRequests of the client',
      );
    }
  }
  const endpoints = { jwks_uri, end_session_endpoint, revocation_endpoint, token_endpoint };
  return { metadata: { issuer: found, ...endpoints } as ProviderMetadata, ...answerAge(response) };
}

function noConfiguration(detail: string): ProviderMisconfiguredError {
  return new ProviderMisconfiguredError(
    "The provider's configuration is not where the option issuer says, or can't be used",
    `${detail}. Check the option issuer`,
  );
}
