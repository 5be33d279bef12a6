import { randomUUID } from 'node:crypto';
import type { Provider } from 'oidc-provider';
import type { EmbeddedClient, EmbeddedClients } from './embedded-client.js';

/**
 * Records which clients take part in which browser login. As in Hydra, a login outlives OneID's cookie: after
 * `prompt=login` the browser has a new login, and an ID token of the old login can still end the old login.
 */
export class BrowserLogins {
  readonly #clientsBySid = new Map<string, Set<string>>();

  private constructor(private readonly clients: EmbeddedClients) {}

  /** Makes the provider use one `sid` (a UUID) per browser login. By default, it uses one `sid` per client. */
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

  /** The clients that take part; empty when the login is unknown or has ended. */
  clientsOf(sid: string): EmbeddedClient[] {
    return [...(this.#clientsBySid.get(sid) ?? [])].flatMap((clientId) => this.clients.get(clientId) ?? []);
  }

  /** Ends the login. @returns the clients to notify */
  end(sid: string): EmbeddedClient[] {
    const clients = this.clientsOf(sid);
    this.#clientsBySid.delete(sid);
    return clients;
  }
}
