import { type Clock } from '../clock.js';
import { type ResolvedClientOptions } from './client-options.js';
import { ClientSecretKeys } from './client-secret-keys.js';
import { withoutSlash } from '../rule/issuer.js';
import { OneIdProvider } from './oneid-provider.js';
import { type TokenKeys } from './token-keys.js';

/** One of our registrations at a provider: its settings, all defaults filled in. */
export type OneIdClient = ResolvedClientOptions & {
  readonly provider: OneIdProvider;
  /** What its ID tokens and logout tokens are verified with. */
  readonly keys: TokenKeys;
};

/** The configured clients, and whom a token is for. */
export class OneIdClients {
  readonly all: readonly OneIdClient[];

  constructor(options: readonly ResolvedClientOptions[], clock: Clock) {
    const providers = new Map<string, OneIdProvider>();
    this.all = options.map((client) => {
      const { metadata } = client;
      const key = withoutSlash(client.issuer);
      const provider =
        providers.get(key) ??
        new OneIdProvider(client.issuer, metadata && Object.assign({ issuer: client.issuer }, metadata), clock);
      providers.set(key, provider);
      return Object.assign({}, client, { provider, keys: keysOf(client, provider) });
    });
  }

  /** Our clients at the issuer that an `iss` names, trailing slash or not; needs no fetch. */
  at(iss: string): OneIdClient[] {
    return this.all.filter((client) => client.provider.mayBe(iss));
  }

  /** How far a logout at this issuer reaches: `user` only when all our clients there say so. */
  logoutScopeAt(iss: string): 'session' | 'user' | undefined {
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
   * @returns undefined when none of ours is in it, or somebody else is
   */
  inAudience(iss: string, aud: unknown): OneIdClient | undefined {
    const audience: unknown[] = Array.isArray(aud) ? aud : [aud];
    const ours = this.at(iss);
    if (!audience.every((member) => ours.some((client) => client.clientId === member))) return undefined;
    return ours.find((client) => audience.includes(client.clientId));
  }
}

function keysOf({ idTokenSignedResponseAlg: alg, clientSecret }: ResolvedClientOptions, provider: OneIdProvider) {
  if (!alg.startsWith('HS')) return provider.keys;
  if (clientSecret === undefined) throw new TypeError(`${alg} needs a clientSecret`);
  return new ClientSecretKeys(clientSecret);
}
