import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type Koa from 'koa';
import { errors, type Provider } from 'oidc-provider';
import type { BackchannelDeliveries } from './backchannel-deliveries.js';
import type { BrowserLogins } from './browser-logins.js';
import { formBody } from './form-body.js';
import { frontchannelLogoutUrl, frontchannelPage } from './frontchannel-page.js';
import { type LogoutRules, readLogoutRequest } from './logout-request.js';
import { confirmLogoutPage, page } from './pages.js';

const END_SESSION = '/oauth2/sessions/logout';
const CONFIRM = '/logout';
const LOGGED_OUT = '/oauth2/fallbacks/logout/callback';

/** OneID's logout, in the place of oidc-provider's: other rules, other notifications. */
export class LogoutEndpoint {
  readonly #challengeKey = randomBytes(32);

  constructor(
    private readonly provider: Provider,
    private readonly rules: LogoutRules,
    private readonly logins: BrowserLogins,
    private readonly deliveries: BackchannelDeliveries,
  ) {}

  readonly handle: Koa.Middleware = async (ctx, next) => {
    switch (`${ctx.method} ${ctx.path}`) {
      case `GET ${END_SESSION}`:
        await this.#endSession(ctx, ctx.URL.searchParams);
        break;
      case `POST ${END_SESSION}`:
        await this.#endSession(ctx, await formBody(ctx.req));
        break;
      case `POST ${CONFIRM}`:
        await this.#confirm(ctx, await formBody(ctx.req));
        break;
      case `GET ${LOGGED_OUT}`:
        ctx.body = page('You are logged out', '<p>OneID has no session for this browser.</p>');
        break;
      default:
        await next();
        return;
    }
    ctx.set('cache-control', 'no-store');
  };

  async #endSession(ctx: Koa.Context, parameters: URLSearchParams): Promise<void> {
    const { sid, next = LOGGED_OUT } = await readLogoutRequest(parameters, this.rules);
    if (sid) {
      await this.#end(ctx, sid, next);
      return;
    }
    const session = await this.provider.Session.get(ctx);
    if (session.accountId) {
      ctx.body = confirmLogoutPage(CONFIRM, this.#challenge(session.uid));
    } else {
      ctx.redirect(LOGGED_OUT);
    }
  }

  async #confirm(ctx: Koa.Context, form: URLSearchParams): Promise<void> {
    const session = await this.provider.Session.get(ctx);
    if (!session.accountId || form.get('challenge') !== this.#challenge(session.uid)) {
      throw new errors.InvalidRequest('this logout is no longer waiting for an answer');
    }
    if (form.get('answer') === 'yes') {
      await this.#end(ctx, session.uid, LOGGED_OUT);
    } else {
      ctx.body = page('You are still signed in', '<p>Nothing was changed.</p>');
    }
  }

  /** Bound to the browser's session, so another site can't answer in the user's place. */
  #challenge(sid: string): string {
    return createHmac('sha256', this.#challengeKey).update(sid).digest('base64url');
  }

  async #end(ctx: Koa.Context, sid: string, next: string): Promise<void> {
    const { issuer, clients } = this.rules;
    const session = await this.provider.Session.findByUid(sid);
    await session?.destroy();
    ctx.cookies.set(this.provider.cookieName('session'), null, { signed: true });

    const notified = this.logins.end(sid).flatMap((clientId) => clients.get(clientId) ?? []);
    for (const { clientId, backchannelLogoutUri: uri } of notified) {
      if (uri) {
        this.deliveries.start({ clientId, uri, sid, logoutToken: await this.#logoutToken(clientId, sid) });
      }
    }
    const frontchannel = notified.flatMap(({ frontchannelLogoutUri: uri }) =>
      uri ? frontchannelLogoutUrl(uri, issuer, sid) : [],
    );
    if (frontchannel.length > 0) {
      ctx.body = frontchannelPage(frontchannel, next);
    } else {
      ctx.redirect(next);
    }
  }

  /** Back-Channel Logout 1.0, section 2.4, as Hydra fills it in: without `exp` and without `sub`. */
  #logoutToken(clientId: string, sid: string): Promise<string> {
    return this.rules.key.sign({
      iss: this.rules.issuer,
      aud: [clientId],
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
  }
}
