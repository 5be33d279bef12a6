import { allowInsecureRequests, customFetch, discoveryRequest, processDiscoveryResponse } from 'oauth4webapi';
import { type Clock } from '../clock.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import { CachedResource } from './cached-resource.js';
import { withoutSlash } from '../rule/issuer.js';
import { providerFetch, type ProviderFetch } from './provider-fetch.js';
import { ProviderKeys } from './provider-keys.js';

/** The fields of OpenID Connect Discovery 1.0 §3 that the library uses, under their wire names. */
export interface ProviderMetadata {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly end_session_endpoint?: string | undefined;
  readonly revocation_endpoint?: string | undefined;
  readonly token_endpoint?: string | undefined;
}

/** The age at which metadata is fetched again, and the pause between two attempts: milliseconds. */
const TIMES = { maxAge: 60 * 60 * 1000, coolDown: 10 * 1000 };

/** One OpenID provider: its metadata and its keys, shared by all its clients. */
export class OneIdProvider {
  readonly keys: ProviderKeys;
  private readonly discovered: CachedResource<ProviderMetadata>;

  /**
   * @param issuer as configured, with or without the trailing slash
   * @param given the issuer and the endpoints from the options; the provider is then not asked for its metadata
   */
  constructor(
    readonly issuer: string,
    private readonly given: ProviderMetadata | undefined,
    clock: Clock,
    /** Sends requests to this provider. */
    readonly fetch: ProviderFetch = providerFetch(clock),
  ) {
    const what = `the configuration of ${issuer}`;
    this.discovered = new CachedResource(() => discover(issuer, fetch), clock, TIMES, what);
    this.keys = new ProviderKeys(async () => (await this.metadata()).jwks_uri, clock, fetch);
  }

  /**
   * The provider's metadata. The `iss` of a token must equal its `issuer` exactly.
   *
   * @throws {ProviderUnavailableError} 503: the metadata has never been fetched, and can't be fetched now
   */
  async metadata(): Promise<ProviderMetadata> {
    if (this.given !== undefined) return this.given;
    try {
      return (await this.discovered.get()).content;
    } catch (error) {
      throw new ProviderUnavailableError("The provider's configuration is not available, try again", error);
    }
  }

  /**
   * Is this `iss` exactly the provider's issuer? An upgrade of OneID may add or remove the trailing slash. If only the
   * slash differs, the metadata is fetched again before the `iss` is refused.
   *
   * @throws {ProviderUnavailableError} 503: the metadata can't be fetched now
   */
  async isIssuer(iss: string): Promise<boolean> {
    if ((await this.metadata()).issuer === iss) return true;
    if (this.given !== undefined || !this.mayBe(iss)) return false;
    await this.discovered.refresh();
    if ((await this.metadata()).issuer === iss) return true;
    if (this.discovered.failed)
      throw new ProviderUnavailableError("The provider's current issuer is not available, try again");
    return false;
  }

  /** Is this `iss` the configured issuer, apart from a trailing slash? Needs no fetch; {@link isIssuer} decides. */
  mayBe(iss: string): boolean {
    return withoutSlash(iss) === withoutSlash(this.issuer);
  }
}

/** OpenID Connect Discovery 1.0 §4. The provider's issuer may differ from the configured one by a trailing slash. */
async function discover(issuer: string, fetch: ProviderFetch): Promise<ProviderMetadata> {
  const bare = withoutSlash(issuer);
  const response = await discoveryRequest(new URL(issuer), {
    [allowInsecureRequests]: new URL(issuer).protocol === 'http:',
    [customFetch]: (url: string, init) => fetch(url, { method: init.method, headers: init.headers }),
  });
  const metadata = await processDiscoveryResponse(new URL(bare), response.clone()).catch(() =>
    processDiscoveryResponse(new URL(`${bare}/`), response),
  );
  const { jwks_uri } = metadata;
  if (jwks_uri === undefined) throw new Error("The provider's configuration has no jwks_uri");
  const endpoints = [jwks_uri, metadata.end_session_endpoint, metadata.revocation_endpoint];
  if (new URL(issuer).protocol === 'https:' && endpoints.some((url) => url && new URL(url).protocol !== 'https:')) {
    throw new Error("The provider's configuration has an endpoint without TLS");
  }
  return { ...metadata, jwks_uri };
}
