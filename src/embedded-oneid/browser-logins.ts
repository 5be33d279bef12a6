import { randomUUID } from 'node:crypto';
import type { Provider } from 'oidc-provider';
import type { EmbeddedClient, EmbeddedClients } from './embedded-client.js';

/**
 * Which clients take part in which browser login. A login outlives OneID's cookie for it, as in Hydra: after
 * `prompt=login` the browser is in a new login, and the old one can still be ended by an ID token of its own.
 */
export class BrowserLogins {
  readonly #clientsBySid = new Map<string, Set<string>>();

  private constructor(private readonly clients: EmbeddedClients) {}

  /** Makes the provider give one `sid` a browser login, a UUID, where by default it has one a client. */
  static follow(provider: Provider, clients: EmbeddedClients): BrowserLogins {
    const logins = new BrowserLogins(clients);

    provider.Client.prototype.includeSid = () => true;
    provider.on('interaction.ended', ({ oidc: { result, session } }) => {
      if (result?.login && session) {
        session.uid = randomUUID();
        session.authorizations = {};
      }
    });
    provider.on('authorization.success', ({ oidc: { client, session } }) => {
      if (client && session) {
        logins.join(session.uid, client.clientId);
      }
    });
    return logins;
  }

  join(sid: string, clientId: string): void {
    const clients = this.#clientsBySid.get(sid) ?? new Set();
    this.#clientsBySid.set(sid, clients.add(clientId));
  }

  /** Who takes part; nobody when the login is unknown or already over. */
  clientsOf(sid: string): EmbeddedClient[] {
    return [...(this.#clientsBySid.get(sid) ?? [])].flatMap((clientId) => this.clients.get(clientId) ?? []);
  }

  /** The clients to notify. */
  end(sid: string): EmbeddedClient[] {
    const clients = this.clientsOf(sid);
    this.#clientsBySid.delete(sid);
    return clients;
  }
}
