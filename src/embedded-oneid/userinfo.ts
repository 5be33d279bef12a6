import { jwtVerify } from 'jose';
import type Koa from 'koa';
import { endpointPaths, type SigningKey } from 'nestjs-oneid-logout/testing';
import type { EmbeddedAccount } from './embedded-client.js';
import { apiAudience } from './provider-configuration.js';

/** `/userinfo` for JWT access tokens, because oidc-provider's own endpoint refuses JWTs. */
export function userinfo(issuer: string, account: EmbeddedAccount, { alg, publicJwk }: SigningKey): Koa.Middleware {
  const expected = { issuer, audience: apiAudience(issuer), typ: 'at+jwt', algorithms: [alg] };
  return async (ctx, next) => {
    if (ctx.path !== endpointPaths.userinfo) {
      await next();
      return;
    }
    const token = /^Bearer ([\w.-]+)$/i.exec(ctx.get('authorization'))?.[1] ?? '';
    try {
      const { sub, scope } = (await jwtVerify(token, publicJwk, expected)).payload;
      const profile = String(scope).split(' ').includes('profile');
      ctx.body = { sub, ...(profile && account.name && { name: account.name }) };
    } catch {
      ctx.status = 401;
      ctx.set('www-authenticate', 'Bearer error="invalid_token"');
      ctx.body = { error: 'invalid_token' };
    }
  };
}
