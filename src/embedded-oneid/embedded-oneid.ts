import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import { type BackchannelDelivery, createSigningKey, fixedKeyId, type HydraVersion } from 'nestjs-oneid-logout/testing';
import Provider, { errors } from 'oidc-provider';
import { account as accountPages } from './account.js';
import { BrowserLogins } from './browser-logins.js';
import type { EmbeddedAccount, EmbeddedClient, EmbeddedClients } from './embedded-client.js';
import { login } from './login.js';
import { LogoutEndpoint } from './logout-endpoint.js';
import { type BackchannelOptions, LogoutNotifications } from './logout-notifications.js';
import { memoryAdapter } from './memory-adapter.js';
import { answer, visitorOf } from './page.js';
import { errorPage } from './pages.js';
import { apiAudience, clientMetadata, providerConfiguration } from './provider-configuration.js';
import { userinfo } from './userinfo.js';

export type { BackchannelOptions, EmbeddedAccount, EmbeddedClient };

export interface EmbeddedOneIdOptions {
  /** The version of Hydra that this OneID runs; `2` when absent, as for the OneID of `nestjs-oneid-logout/testing`. */
  hydra?: HydraVersion;
  /** Any free port when 0 or absent. */
  port?: number;
  /** Host name in the issuer URL; `127.0.0.1` when absent. The server always listens on 127.0.0.1. */
  host?: 'localhost' | '127.0.0.1';
  clients: EmbeddedClient[];
  /** The only account that can sign in; `demo` with the password `demo` when absent. */
  account?: EmbeddedAccount;
  backchannel?: BackchannelOptions;
  log?: (line: string) => void;
}

export interface EmbeddedOneId {
  /** The exact `iss` of every token. It ends with a slash, as OneID's issuer does. */
  issuer: string;
  /** The `aud` of every access token. */
  apiAudience: string;
  readonly clients: EmbeddedClients;
  /** The deliveries of logout tokens to the apps. */
  deliveries: {
    readonly finished: readonly BackchannelDelivery[];
    /** Resolves when no delivery is under way. */
    idle(): Promise<void>;
  };
  /** Registers one more app. */
  register(client: EmbeddedClient): Promise<void>;
  close(): Promise<void>;
}

const DEMO_ACCOUNT: EmbeddedAccount = { username: 'demo', password: 'demo', name: 'Demo User' };

/** Starts a OneID on this machine. It signs in and out as OneID (Ory Hydra) does, with one account and new keys. */
export async function startEmbeddedOneId(options: EmbeddedOneIdOptions): Promise<EmbeddedOneId> {
  const {
    hydra,
    port = 0,
    host = '127.0.0.1',
    clients: given,
    account = DEMO_ACCOUNT,
    backchannel = {},
    log = () => undefined,
  } = options;

  const key = await createSigningKey('RS256', fixedKeyId(hydra));
  const server = createServer();
  const issuer = `http://${host}:${await listen(server, port)}/`;
  const adapter = memoryAdapter();
  const provider = new Provider(
    issuer,
    providerConfiguration({ issuer, hydra, clients: given, account, key, adapter }),
  );
  const clients = new Map(given.map((client) => [client.clientId, client]));
  const logins = BrowserLogins.follow(provider, clients);
  const notifications = new LogoutNotifications(issuer, key, { ...(hydra && { hydra }), ...backchannel }, log);
  const logout = new LogoutEndpoint(provider, { issuer, key, clients }, logins, notifications);

  provider.on('server_error', (_ctx, error) => {
    log(`error: ${String(error)}`);
  });
  provider.use(renderErrors);
  provider.use(login(provider, account, clients));
  provider.use(logout.handle);
  provider.use(userinfo(issuer, account, key));
  provider.use(accountPages(provider, account, clients, logins));
  const handle = provider.callback();
  server.on('request', (request, response) => void handle(request, response));

  return {
    issuer,
    apiAudience: apiAudience(issuer),
    clients,
    deliveries: notifications,
    async register(client) {
      clients.set(client.clientId, client);
      await adapter('Client').upsert(client.clientId, clientMetadata(client), Infinity);
    },
    async close() {
      await notifications.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
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
    answer(ctx, errorPage(visitorOf(ctx), error.error, error.error_description));
  }
  if (ctx.status === 404 && !ctx.body) {
    // set explicitly, because Koa answers 200 for a body without an explicit status
    ctx.status = 404;
    answer(ctx, errorPage(visitorOf(ctx), 'not_found'));
  }
};
