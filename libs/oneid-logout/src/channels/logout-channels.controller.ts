import { Controller, Get, Post, Req, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { routePaths } from '../http/library-routes.js';
import { type FormRequest } from '../http/form-body.js';
import { sendAnswer } from '../http/http-answer.js';
import { rawQuery } from '../http/raw-query.js';
import { LibraryRoutes } from '../guard/session.decorators.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { BackchannelLogout } from './backchannel-logout.js';
import { FrontchannelLogout } from './frontchannel-logout.js';

/** Routes of OneID's two logout channels: gives each request to its channel and sends the channel's answer. */
@LibraryRoutes()
@Controller({ version: VERSION_NEUTRAL })
export class LogoutChannelsController {
  constructor(
    private readonly backchannel: BackchannelLogout,
    private readonly frontchannel: FrontchannelLogout,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  @Post(routePaths.backchannel)
  async backchannelLogout(@Req() request: FormRequest, @Res() response: unknown): Promise<void> {
    sendAnswer(this.adapterHost.httpAdapter, response, await this.backchannel.answer(request));
  }

  @Get(routePaths.frontchannel)
  async frontchannelLogout(@Req() request: SessionRequest, @Res() response: unknown): Promise<void> {
    const answer = await this.frontchannel.answer(request, rawQuery(request));
    sendAnswer(this.adapterHost.httpAdapter, response, answer);
  }
}
