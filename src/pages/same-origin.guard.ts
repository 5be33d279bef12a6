import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { Settings } from '../settings.js';

/**
 * Accepts changing requests (all methods but GET) only from this app's own pages. A `SameSite=Lax` cookie does not
 * ensure that: an app on another port, or on another host of the same domain, is the same site.
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  constructor(private readonly settings: Settings) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers, method } = context.switchToHttp().getRequest<Request>();
    if (method === 'GET') return true;
    const site = headers['sec-fetch-site'];
    const isOurs = site === undefined ? headers.origin === this.settings.baseUrl : site === 'same-origin';
    if (!isOurs) throw new ForbiddenException({ error: 'cross_site_request' });
    return true;
  }
}
