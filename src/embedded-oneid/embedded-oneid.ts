import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import Provider, { errors } from 'oidc-provider';
import { BackchannelDeliveries, type BackchannelOptions, type Delivery } from './backchannel-deliveries.js';
import { BrowserLogins } from './browser-logins.js';
import type { EmbeddedAccount, EmbeddedClient } from './embedded-client.js';
import { login } from './login.js';
import { LogoutEndpoint } from './logout-endpoint.js';
import { errorPage } from './pages.js';
import { apiAudience, providerConfiguration } from './provider-configuration.js';
import { SigningKey } from './signing-key.js';
import { userinfo } from './userinfo.js';

export type { BackchannelOptions, Delivery, EmbeddedAccount, EmbeddedClient };

export interface EmbeddedOneIdOptions {
  /** A free one when 0 or absent. */
  port?: number;
  /** `127.0.0.1` when absent. */
  host?: string;
  clients: EmbeddedClient[];
  /** Who can sign in; `demo` with the password `demo` when absent. */
  account?: EmbeddedAccount;
  backchannel?: BackchannelOptions;
  log?: (line: string) => void;
}

export interface EmbeddedOneId {
  /** With a trailing slash, as OneID's; the exact `iss` of every token. */
  issuer: string;
  /** The `aud` of every access token. */
  apiAudience: string;
  /** The logout tokens that were sent to the apps. */
  deliveries: {
    readonly finished: readonly Delivery[];
    /** Resolves when nothing is under way. */
    idle(): Promise<void>;
  };
  close(): Promise<void>;
}

const DEMO_ACCOUNT: EmbeddedAccount = { username: 'demo', password: 'demo', name: 'Demo User' };

/** A OneID on this machine: it signs in and out as OneID does (Ory Hydra), with one account and keys made at start. */
export async function startEmbeddedOneId(options: EmbeddedOneIdOptions): Promise<EmbeddedOneId> {
  const {
    port = 0,
    host = '127.0.0.1',
    clients,
    account = DEMO_ACCOUNT,
    backchannel = {},
    log = () => undefined,
  } = options;

  const key = await SigningKey.generate();
  const server = createServer();
  const issuer = `http://${host}:${await listen(server, port, host)}/`;
  const provider = new Provider(issuer, providerConfiguration({ issuer, clients, account, key }));
  const deliveries = new BackchannelDeliveries(backchannel, log);
  const rules = { issuer, key, clients: new Map(clients.map((client) => [client.clientId, client])) };
  const logout = new LogoutEndpoint(provider, rules, BrowserLogins.follow(provider), deliveries);

  provider.on('server_error', (_ctx, error) => {
    log(`error: ${String(error)}`);
  });
  provider.use(renderErrors);
  provider.use(login(provider, account));
  provider.use(logout.handle);
  provider.use(userinfo(issuer, account, key));
  const handle = provider.callback();
  server.on('request', (request, response) => void handle(request, response));

  return {
    issuer,
    apiAudience: apiAudience(issuer),
    deliveries,
    async close() {
      await deliveries.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const renderErrors: Koa.Middleware = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    if (!(error instanceof errors.OIDCProviderError)) {
      throw error;
    }
    ctx.status = error.statusCode;
    ctx.body = errorPage(error.error, error.error_description);
  }
};
