import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { AccessTokens } from './access-tokens.js';

/** Requires a valid access token. Puts its claims into `request.user`, where `sessionFromClaims()` reads them. */
@Injectable()
export class BearerGuard implements CanActivate {
  constructor(private readonly accessTokens: AccessTokens) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request & { user?: unknown }>();
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
    request.user = token && (await this.accessTokens.verify(token));
    if (request.user) return true;
    // RFC 6750 §3: no error code for a request without any token
    const challenge = token === undefined ? 'Bearer' : 'Bearer error="invalid_token"';
    http.getResponse<Response>().setHeader('WWW-Authenticate', challenge);
    throw new UnauthorizedException();
  }
}
