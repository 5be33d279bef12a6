import { randomUUID } from 'node:crypto';
import type { Provider } from 'oidc-provider';

/**
 * Which clients take part in which browser login. A login outlives OneID's cookie for it, as in Hydra: after
 * `prompt=login` the browser is in a new login, and the old one can still be ended by an ID token of its own.
 */
export class BrowserLogins {
  readonly #clientsBySid = new Map<string, Set<string>>();

  /** Makes the provider give one `sid` a browser login, a UUID, where by default it has one a client. */
  static follow(provider: Provider): BrowserLogins {
    const logins = new BrowserLogins();

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

  /** The clients to notify; none when the login is unknown or already over. */
  end(sid: string): string[] {
    const clients = this.#clientsBySid.get(sid) ?? [];
    this.#clientsBySid.delete(sid);
    return [...clients];
  }
}
