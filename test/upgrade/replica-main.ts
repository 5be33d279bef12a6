import 'reflect-metadata';
import { Body, Controller, Module, NotImplementedException, Post, Req, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CurrentSession,
  type LogoutAuthor,
  LogoutService,
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  type RefreshSessionOptions,
  type RegisterSessionOptions,
  type Session,
  SessionAliveGuard,
  sessionFromCookie,
  SessionRegistry,
  type SessionRequest,
} from 'nestjs-oneid-logout';
import { HostController } from '../support/host-controller.js';

// This process is one replica, of this version of the library or of an older one (the environment says which). So it uses
// what both versions have, and looks whether the older one has the rest.
const options = JSON.parse(process.env['REPLICA_OPTIONS'] ?? '') as OneIdLogoutOptions;

interface User {
  readonly issuer: string;
  readonly sub: string;
}

/** What an app does with sessions, as routes. */
@Controller()
class AppController {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly logout: LogoutService,
  ) {}

  @Post('sign-in')
  signIn(@Body() tokens: RegisterSessionOptions) {
    return this.registry.register(tokens);
  }

  @Post('refresh')
  @UseGuards(SessionAliveGuard)
  refresh(@CurrentSession() { id }: Session, @Body() tokens: RefreshSessionOptions) {
    return this.registry.refresh(id, tokens);
  }

  @Post('list')
  list(@Body() user: User) {
    return this.registry.listAlive(user);
  }

  @Post('end')
  async end(@Body() { id, author }: { id: string; author?: LogoutAuthor }) {
    return { ended: await this.registry.end(id, author) };
  }

  @Post('end-all')
  async endAll(@Body() { author, ...user }: User & { author?: LogoutAuthor }) {
    await this.registry.endAll(user, author);
  }

  @Post('end-others')
  @UseGuards(SessionAliveGuard)
  async endOthers(@CurrentSession() session: Session) {
    return { ended: await this.registry.endOthers(session) };
  }

  @Post('end-here')
  async endHere(@Req() request: SessionRequest) {
    await this.logout.endHere(request);
  }

  @Post('end-everyone')
  async endEveryone(@Body() everyone: { issuer: string }) {
    if (!('endEveryone' in this.registry)) throw new NotImplementedException();
    await this.registry.endEveryone(everyone);
  }

  @Post('pending-revocations')
  async pendingRevocations() {
    return { pending: await this.registry.countPendingRevocations() };
  }
}

@Module({
  imports: [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })],
  controllers: [HostController, AppController],
})
class ReplicaModule {}

const app = await NestFactory.create(ReplicaModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
process.send?.(await app.getUrl());
