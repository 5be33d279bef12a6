import { type Clock } from '../clock.js';
import { type ResolvedClientOptions } from './client-options.js';
import { ClientSecretKeys } from './client-secret-keys.js';
import { withoutSlash } from '../rule/issuer.js';
import { OneIdProvider } from './oneid-provider.js';
import { providerFetch, type ProviderFetch, RequestAbandoned } from './provider-fetch.js';
import { type TokenKeys } from './token-keys.js';

/** A configured client: its options with all defaults, its provider and its keys. */
export type OneIdClient = ResolvedClientOptions & {
  readonly provider: OneIdProvider;
  /** Verify the client's ID tokens and logout tokens. */
  readonly keys: TokenKeys;
};

/** The configured clients. Finds the client that a token is for. */
export class OneIdClients {
  readonly all: readonly OneIdClient[];
  /** The issuer of all clients; undefined when they have several. */
  readonly onlyIssuer: string | undefined;
  private readonly closing = new AbortController();

  /** @param fetch sends all requests to the providers; by default the global `fetch` */
  constructor(options: readonly ResolvedClientOptions[], clock: Clock, fetch?: ProviderFetch) {
    const providers = new Map<string, OneIdProvider>();
    this.all = options.map((client) => {
      const key = withoutSlash(client.issuer);
      const provider =
        providers.get(key) ?? providerOf(client, clock, providerFetch(clock, fetch, this.closing.signal));
      providers.set(key, provider);
      return Object.assign({}, client, { provider, keys: keysOf(client, provider) });
    });
    this.onlyIssuer = providers.size === 1 ? this.all[0]?.issuer : undefined;
  }

  /** Abandons the requests to the providers that are under way, and sends no more. */
  close(): void {
    this.closing.abort(new RequestAbandoned('The app has closed'));
  }

  /** The configured clients at the issuer that `iss` names, with or without a trailing slash. Needs no fetch. */
  at(iss: string): OneIdClient[] {
    return this.all.filter((client) => client.provider.mayBe(iss));
  }

  /**
   * How far a logout at this issuer reaches: `user` only when all configured clients there have this scope.
   *
   * @returns undefined when no client at this issuer is configured
   */
  logoutScopeOf(iss: string): 'session' | 'user' | undefined {
    const scopes = this.at(iss).map((client) => client.logoutScope);
    return scopes.find((scope) => scope === 'session') ?? scopes[0];
  }

  /** The client that a stored session belongs to. */
  find(issuer: string, clientId: string): OneIdClient | undefined {
    return this.at(issuer).find((client) => client.clientId === clientId);
  }

  /**
   * The client that a token is for (OpenID Connect Core 1.0 §3.1.3.7): the audience names it, and beside it only clients
   * that are configured here, or audiences that it trusts. If there are several, `azp` decides, else the first.
   *
   * @returns undefined when there is no such client
   */
  inAudience(iss: string, aud: unknown, azp?: unknown): OneIdClient | undefined {
    const audience: unknown[] = Array.isArray(aud) ? aud : [aud];
    const ours = this.at(iss);
    const trusting = ours.filter(
      ({ clientId, trustedAudiences }) =>
        audience.includes(clientId) &&
        audience.every((one) => ours.some((client) => client.clientId === one) || includes(trustedAudiences, one)),
    );
    return trusting.find(({ clientId }) => clientId === azp) ?? trusting[0];
  }
}

function includes(texts: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && texts.includes(value);
}

function providerOf(client: ResolvedClientOptions, clock: Clock, fetch: ProviderFetch): OneIdProvider {
  const { issuer, endpoints, allowInsecureRequests } = client;
  const given = endpoints && Object.assign({ issuer }, endpoints);
  return new OneIdProvider(issuer, given, clock, fetch, allowInsecureRequests);
}

function keysOf(client: ResolvedClientOptions, provider: OneIdProvider): TokenKeys {
  const { idTokenSignedResponseAlg: alg, clientAuthentication } = client;
  if (!alg.startsWith('HS')) return provider.keys;
  if (!('clientSecret' in clientAuthentication)) throw new TypeError(`${alg} needs a clientSecret`);
  return new ClientSecretKeys(clientAuthentication.clientSecret);
}
