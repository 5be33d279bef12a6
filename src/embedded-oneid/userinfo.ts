import type Koa from 'koa';
import type { EmbeddedAccount } from './embedded-client.js';
import { apiAudience } from './provider-configuration.js';
import type { SigningKey } from './signing-key.js';

/** `/userinfo` for JWT access tokens, because oidc-provider's own endpoint refuses JWTs. */
export function userinfo(issuer: string, account: EmbeddedAccount, key: SigningKey): Koa.Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/userinfo') {
      await next();
      return;
    }
    const token = /^Bearer ([\w.-]+)$/i.exec(ctx.get('authorization'))?.[1] ?? '';
    try {
      const { sub, scope } = await key.verifyAccessToken(token, issuer, apiAudience(issuer));
      const profile = String(scope).split(' ').includes('profile');
      ctx.body = { sub, ...(profile && account.name && { name: account.name }) };
    } catch {
      ctx.status = 401;
      ctx.set('www-authenticate', 'Bearer error="invalid_token"');
      ctx.body = { error: 'invalid_token' };
    }
  };
}
