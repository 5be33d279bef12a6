import { Injectable, type NestMiddleware } from '@nestjs/common';
import { type NextFunction, type Request, type Response } from 'express';
import { decodeJwt } from 'jose';
import { Timeline, type Told } from './timeline.js';

/** Notes what OneID says over its two channels. The library answers; this looks on. */
@Injectable()
export class ChannelRequests implements NestMiddleware {
  constructor(private readonly timeline: Timeline) {}

  use(request: Request, response: Response, next: NextFunction): void {
    const at = Date.now();
    response.once('finish', () => {
      // only with a 200 has the library believed what it was told
      const login = response.statusCode === 200 ? loginOf(request) : undefined;
      if (login === undefined) return;
      this.timeline.tell(login.issuer, login.sid, {
        kind: 'told',
        channel: login.channel,
        at,
        took: Date.now() - at,
      });
    });
    next();
  }
}

/** The browser login that a request is about. */
function loginOf({
  method,
  query,
  body,
}: Request): (Pick<Told, 'channel'> & { issuer: string; sid: string }) | undefined {
  const channel = method === 'POST' ? 'backchannel' : 'frontchannel';
  const { iss, sid } = channel === 'backchannel' ? claimsOf(body) : query;
  return typeof iss === 'string' && typeof sid === 'string' ? { channel, issuer: iss, sid } : undefined;
}

function claimsOf(body: unknown): { iss?: unknown; sid?: unknown } {
  const token = (body as { logout_token?: unknown } | undefined)?.logout_token;
  return typeof token === 'string' ? decodeJwt(token) : {};
}
