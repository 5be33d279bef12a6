import { Injectable, type NestMiddleware } from '@nestjs/common';
import { type NextFunction, type Request, type Response } from 'express';
import { decodeJwt } from 'jose';
import { Timeline, type Told } from './timeline.js';
import { watch } from './watch.js';

/** Adds OneID's logout requests on both channels to the timeline. It only observes; the library answers them. */
@Injectable()
export class ChannelRequests implements NestMiddleware {
  constructor(private readonly timeline: Timeline) {}

  use(request: Request, response: Response, next: NextFunction): void {
    const at = Date.now();
    // an error in this listener would end the process
    response.once('finish', () => {
      watch(() => this.note(request, response, at));
    });
    next();
  }

  private note(request: Request, response: Response, at: number): void {
    // the library answers another status when it refuses the request
    if (response.statusCode !== 200) return;
    const channel = request.method === 'POST' ? 'backchannel' : 'frontchannel';
    const { iss, sid } = loginOf(request, channel);
    if (typeof iss !== 'string' || typeof sid !== 'string') return;
    this.timeline.tell(iss, { kind: 'told', channel, sid, at, took: Date.now() - at });
  }
}

/** The `iss` and `sid` that the request names. They are missing when the logout token is encrypted. */
function loginOf({ query, body }: Request, channel: Told['channel']): { iss?: unknown; sid?: unknown } {
  if (channel === 'frontchannel') return query;
  const token = (body as { logout_token?: unknown } | undefined)?.logout_token;
  return typeof token === 'string' && token.split('.').length === 3 ? decodeJwt(token) : {};
}
