import { Controller, Get, Req, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Logger } from '../logger.js';
import { routePaths } from '../http/library-routes.js';
import { sendAnswer } from '../http/http-answer.js';
import { isNavigation, isPrefetch, prefetchRefusal } from '../http/navigation.js';
import { rawQuery } from '../http/raw-query.js';
import { LogoutSettings } from './logout-settings.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { LibraryRoutes } from '../guard/session.decorators.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { type LogoutReturn, LogoutStates } from './logout-state.js';

/**
 * OneID sends the browser here after a logout. The session has already ended, so an error here does no harm: the
 * browser goes to the first of `returnUrls` if `state` is missing, wrong or used, or if the store can't answer. Only a
 * navigation uses `state` up: the user does not see the answer to other requests.
 */
@LibraryRoutes()
@Controller({ version: VERSION_NEUTRAL })
export class LogoutCallbackController {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly states: LogoutStates,
    private readonly clients: OneIdClients,
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: LogoutSettings,
  ) {}

  @Get(routePaths.callback)
  async callback(@Req() request: SessionRequest, @Res() response: unknown): Promise<void> {
    if (isPrefetch(request)) {
      sendAnswer(this.adapterHost.httpAdapter, response, prefetchRefusal);
      return;
    }
    const { returnTo, cookies } = isNavigation(request) ? await this.redeem(request) : { cookies: [] };
    const allowed = returnTo !== undefined && this.settings.allowsReturn(returnTo);
    sendAnswer(this.adapterHost.httpAdapter, response, {
      status: 303,
      headers: {
        Location: allowed ? returnTo : this.settings.defaultReturnUrl,
        // only with a valid state: a link on another site must not clear the app's data
        ...(returnTo !== undefined && this.settings.clearSiteData),
      },
      cookies,
    });
  }

  private async redeem(request: SessionRequest): Promise<LogoutReturn> {
    const [state, ...others] = rawQuery(request).getAll('state');
    if (others.length > 0) return { cookies: [] };
    try {
      const origins = new Set(this.clients.all.map((client) => new URL(client.postLogoutRedirectUri).origin));
      for (const origin of origins) {
        const redeemed = await this.states.redeem(state, request.headers['cookie'], origin);
        if (redeemed.returnTo !== undefined || redeemed.cookies.length > 0) return redeemed;
      }
    } catch (error) {
      this.logger.error(`Could not redeem a logout state: ${error instanceof Error ? error.message : 'unknown error'}`);
    }
    return { cookies: [] };
  }
}
