import type Koa from 'koa';
import type { Provider } from 'oidc-provider';
import type { EmbeddedAccount } from './embedded-client.js';
import { formBody } from './form-body.js';
import { loginPage } from './pages.js';

/** The sign-in page, `/login/…`: one account, filled in already, and no consent page after it. */
export function login(provider: Provider, account: EmbeddedAccount): Koa.Middleware {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/login/')) {
      await next();
      return;
    }
    ctx.set('cache-control', 'no-store');
    await provider.interactionDetails(ctx.req, ctx.res);

    if (ctx.method === 'POST') {
      const form = await formBody(ctx.req);
      if (form.get('username') === account.username && form.get('password') === account.password) {
        const result = { login: { accountId: account.sub ?? account.username, remember: true } };
        ctx.status = 303;
        ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
        return;
      }
      ctx.status = 401;
      ctx.body = loginPage(form.get('username') ?? '', '', 'Wrong username or password.');
      return;
    }
    ctx.body = loginPage(account.username, account.password);
  };
}
