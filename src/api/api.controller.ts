import { Controller, Get, UseGuards } from '@nestjs/common';
import { CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { BearerGuard } from './bearer.guard.js';

/** For other programs. The first guard verifies the access token; the second checks that its login is still alive. */
@Controller('api')
@UseGuards(BearerGuard, SessionAliveGuard)
export class ApiController {
  @Get('me')
  me(@CurrentSession() { sub, sid }: SessionFacts) {
    return { sub, sid };
  }
}
