import { Controller, Get, UseGuards } from '@nestjs/common';
import { CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { BearerGuard } from './bearer.guard.js';

/** For other programs, with an access token: first whose it is, then whether that login still lives. */
@Controller('api')
@UseGuards(BearerGuard, SessionAliveGuard)
export class ApiController {
  @Get('me')
  me(@CurrentSession() { sub, sid }: SessionFacts) {
    return { sub, sid };
  }
}
