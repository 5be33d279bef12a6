import type Koa from 'koa';
import type { Provider } from 'oidc-provider';
import type { EmbeddedAccount, EmbeddedClients } from './embedded-client.js';
import { formBody } from './form-body.js';
import { answer, visitorOf } from './page.js';
import { loginPage } from './pages.js';

/** The sign-in page, `/login/…`. The form already holds the only account, and no consent page follows. */
export function login(provider: Provider, account: EmbeddedAccount, clients: EmbeddedClients): Koa.Middleware {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/login/')) {
      await next();
      return;
    }
    const { params } = await provider.interactionDetails(ctx.req, ctx.res);
    const visitor = visitorOf(ctx, params['ui_locales']);
    const client = clients.get(String(params['client_id']));

    if (ctx.method !== 'POST') {
      const wrong = ctx.URL.searchParams.has('wrong');
      answer(ctx, loginPage(visitor, { ...account, ...(wrong && { password: '' }), wrong, client }));
      return;
    }
    const form = await formBody(ctx.req);
    if (form.get('username') === account.username && form.get('password') === account.password) {
      const result = { login: { accountId: account.sub ?? account.username, remember: true } };
      ctx.set('cache-control', 'no-store');
      ctx.status = 303;
      ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
      return;
    }
    ctx.status = 303;
    ctx.redirect(`${ctx.path}?wrong`);
  };
}
