import { createHmac, randomBytes } from 'node:crypto';
import type Koa from 'koa';
import { endpointPaths, type NotifiedClient } from 'nestjs-oneid-logout/testing';
import { errors, type Provider } from 'oidc-provider';
import type { BrowserLogins } from './browser-logins.js';
import type { EmbeddedClient } from './embedded-client.js';
import { formBody } from './form-body.js';
import { frontchannelPage } from './frontchannel-page.js';
import type { LogoutNotifications } from './logout-notifications.js';
import { type LogoutRequest, type LogoutRules, readLogoutRequest } from './logout-request.js';
import { answer, visitorOf } from './page.js';
import { confirmLogoutPage, loggedOutPage, stillSignedInPage } from './pages.js';

const { endSession: END_SESSION, loggedOut: LOGGED_OUT } = endpointPaths;
const CONFIRM = '/logout';
const STILL_SIGNED_IN = '/logout/cancelled';

/** A logout to carry out. */
interface Ending {
  readonly sid: string;
  readonly next: string;
  /** `backchannel` or `frontchannel` tells the apps over this channel only; any other value uses both. */
  readonly channels?: string | null;
}

/** Replaces oidc-provider's logout with OneID's, which has other rules and notifications. */
export class LogoutEndpoint {
  readonly #challengeKey = randomBytes(32);

  constructor(
    private readonly provider: Provider,
    private readonly rules: LogoutRules,
    private readonly logins: BrowserLogins,
    private readonly notifications: LogoutNotifications,
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
      case `GET ${CONFIRM}`:
        // a GET of this address carries no answer to the question, so ask the user again
        ctx.redirect(END_SESSION);
        break;
      case `GET ${STILL_SIGNED_IN}`:
        await this.#stillSignedIn(ctx, ctx.URL.searchParams.get('from') ?? '');
        break;
      case `GET ${LOGGED_OUT}`:
        answer(ctx, loggedOutPage(visitorOf(ctx), this.#apps()));
        break;
      default:
        await next();
        return;
    }
    ctx.set('cache-control', 'no-store');
  };

  async #endSession(ctx: Koa.Context, parameters: URLSearchParams): Promise<void> {
    const request = await readLogoutRequest(parameters, this.rules);
    const session = await this.provider.Session.get(ctx);
    const own = session.accountId === undefined ? undefined : session.uid;
    if (own !== undefined && (request.sid ?? own) === own) {
      this.#ask(ctx, own, request, parameters.get('ui_locales'));
    } else if (request.sid !== undefined) {
      // this browser is not (or no longer) in that login, so its user can't be asked
      await this.#end(ctx, { sid: request.sid, next: request.next ?? LOGGED_OUT });
    } else {
      ctx.redirect(LOGGED_OUT);
    }
  }

  #ask(ctx: Koa.Context, sid: string, { next = LOGGED_OUT, clientId = '' }: LogoutRequest, uiLocales: unknown): void {
    const page = confirmLogoutPage(visitorOf(ctx, uiLocales), {
      action: CONFIRM,
      challenge: this.#challenge(sid, next),
      next,
      from: clientId,
      leaving: this.logins.clientsOf(sid),
    });
    answer(ctx, page);
  }

  async #confirm(ctx: Koa.Context, form: URLSearchParams): Promise<void> {
    const next = form.get('next') ?? '';
    const session = await this.provider.Session.get(ctx);
    if (!session.accountId || form.get('challenge') !== this.#challenge(session.uid, next)) {
      throw new errors.InvalidRequest('this logout does not wait for an answer any more: start it again');
    }
    if (form.get('answer') === 'yes') {
      await this.#end(ctx, { sid: session.uid, next, channels: form.get('channels') });
    } else {
      ctx.status = 303;
      ctx.redirect(`${STILL_SIGNED_IN}?${new URLSearchParams({ from: form.get('from') ?? '' }).toString()}`);
    }
  }

  /** @param from the client id of the app to go back to */
  async #stillSignedIn(ctx: Koa.Context, from: string): Promise<void> {
    const session = await this.provider.Session.get(ctx);
    const app = this.rules.clients.get(from);
    answer(ctx, stillSignedInPage(visitorOf(ctx), app ? [app] : this.logins.clientsOf(session.uid)));
  }

  /** Binds the answer to the browser's login, so another site can't answer for the user, and to the target `next`. */
  #challenge(sid: string, next: string): string {
    return createHmac('sha256', this.#challengeKey).update(`${sid}\n${next}`).digest('base64url');
  }

  async #end(ctx: Koa.Context, { sid, next, channels }: Ending): Promise<void> {
    const session = await this.provider.Session.findByUid(sid);
    await session?.destroy();
    const clients = this.logins.end(sid);
    // as Hydra, also when this is the cookie of another login, which then goes on
    if (session || clients.length > 0) ctx.cookies.set(this.provider.cookieName('session'), null, { signed: true });

    const notified = clients.map((client) => reachedOver(channels, client));
    const frontchannel = this.notifications.start(notified, sid);
    if (frontchannel.length > 0) {
      answer(ctx, frontchannelPage(visitorOf(ctx), frontchannel, next));
    } else {
      ctx.redirect(next);
    }
  }

  #apps() {
    return [...this.rules.clients.values()].filter(({ uri }) => uri !== undefined);
  }
}

/** Leaves the client only the URIs of the chosen channels. */
function reachedOver(channels: Ending['channels'], client: EmbeddedClient): NotifiedClient {
  const { clientId, backchannelLogoutUri, frontchannelLogoutUri } = client;
  return {
    clientId,
    backchannelLogoutUri: channels === 'frontchannel' ? undefined : backchannelLogoutUri,
    frontchannelLogoutUri: channels === 'backchannel' ? undefined : frontchannelLogoutUri,
  };
}
