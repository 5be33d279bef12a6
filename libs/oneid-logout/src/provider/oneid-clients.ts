import { type Clock } from '../clock.js';
import { type ResolvedClientOptions } from './client-options.js';
import { ClientSecretKeys } from './client-secret-keys.js';
import { withoutSlash } from '../rule/issuer.js';
import { OneIdProvider } from './oneid-provider.js';
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

  constructor(options: readonly ResolvedClientOptions[], clock: Clock) {
    const providers = new Map<string, OneIdProvider>();
    this.all = options.map((client) => {
      const { issuer, endpoints } = client;
      const key = withoutSlash(issuer);
      const provider =
        providers.get(key) ?? new OneIdProvider(issuer, endpoints && Object.assign({ issuer }, endpoints), clock);
      providers.set(key, provider);
      return Object.assign({}, client, { provider, keys: keysOf(client, provider) });
    });
    this.onlyIssuer = providers.size === 1 ? this.all[0]?.issuer : undefined;
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
   * The client that a token's audience names.
   *
   * @returns undefined when the audience is empty, or names a client that is not configured here
   */
  inAudience(iss: string, aud: unknown): OneIdClient | undefined {
    const audience: unknown[] = Array.isArray(aud) ? aud : [aud];
    const ours = this.at(iss);
    if (!audience.every((member) => ours.some((client) => client.clientId === member))) return undefined;
    return ours.find((client) => audience.includes(client.clientId));
  }
}

function keysOf(client: ResolvedClientOptions, provider: OneIdProvider): TokenKeys {
  const { idTokenSignedResponseAlg: alg, clientAuthentication } = client;
  if (!alg.startsWith('HS')) return provider.keys;
  if (!('clientSecret' in clientAuthentication)) throw new TypeError(`${alg} needs a clientSecret`);
  return new ClientSecretKeys(clientAuthentication.clientSecret);
}
