import type Koa from 'koa';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import type { Provider } from 'oidc-provider';
import type { BrowserLogins } from './browser-logins.js';
import type { EmbeddedAccount, EmbeddedClients } from './embedded-client.js';
import { answer, visitorOf } from './page.js';
import { accountPage, loggedOutPage } from './pages.js';

/** OneID's first page. It shows the user of this browser login, and the apps that take part in it. */
export function account(
  provider: Provider,
  { name, username }: EmbeddedAccount,
  clients: EmbeddedClients,
  logins: BrowserLogins,
): Koa.Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/' || ctx.method !== 'GET') {
      await next();
      return;
    }
    const visitor = visitorOf(ctx);
    const session = await provider.Session.get(ctx);
    const signedInTo = logins.clientsOf(session.uid);
    const apps = [...clients.values()].filter(({ uri }) => uri !== undefined);
    const others = apps.filter((client) => !signedInTo.includes(client));
    const page = session.accountId
      ? accountPage(visitor, { name: name ?? username, signedInTo, others, logout: endpointPaths.endSession })
      : loggedOutPage(visitor, apps);
    answer(ctx, page);
  };
}
