import 'reflect-metadata';
import { Body, Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  type RegisterSessionOptions,
  sessionFromCookie,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';
import { IDLE_LIMIT, IdleLimit } from '../../libs/oneid-logout/src/rule/idle-limit.js';
import { trustMemoryForever } from './trust-memory-forever.js';
import { HostController } from './host-controller.js';

// This process is one replica. The test passes the options in the environment.
const options = JSON.parse(process.env['REPLICA_OPTIONS'] ?? '') as OneIdLogoutOptions;
const trustsMemoryForever = process.env['REPLICA_TRUSTS_MEMORY_FOREVER'] !== undefined;
const maxIdleMs = process.env['REPLICA_MAX_IDLE_MS'];

// the test sends the number of milliseconds that this process's wall clock is ahead
const { now } = Date;
let clockAhead = 0;
Date.now = () => now() + clockAhead;
process.on('message', (milliseconds: number) => {
  clockAhead = milliseconds;
  process.send?.('the clock is set');
});

@Controller()
class SignInController {
  constructor(private readonly registry: SessionRegistry) {}

  @Post('sign-in')
  signIn(@Body() tokens: RegisterSessionOptions) {
    return this.registry.register(tokens);
  }

  @Post('end-everyone')
  endEveryone(@Body() everyone: { readonly issuer: string }) {
    return this.registry.endEveryone(everyone);
  }

  @Post('erase-user')
  eraseUser(@Body() user: { readonly sub: string }) {
    return this.registry.eraseUser(user);
  }
}

@Module({
  imports: [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })],
  controllers: [HostController, SignInController],
})
class ReplicaModule {}

const logger = { logger: ['error' as const, 'warn' as const] };
const app = maxIdleMs === undefined ? await NestFactory.create(ReplicaModule, logger) : await impatientApp(maxIdleMs);
if (trustsMemoryForever) trustMemoryForever(app.get(LogoutFollower, { strict: false }));
await app.listen(0, '127.0.0.1');
process.send?.(await app.getUrl());

/** With a shorter time than `maxIdleSeconds` permits. */
async function impatientApp(milliseconds: string) {
  // most replicas start without it, and faster
  const { Test } = await import('@nestjs/testing');
  const testing = await Test.createTestingModule({ imports: [ReplicaModule] })
    .overrideProvider(IDLE_LIMIT)
    .useValue(new IdleLimit(Number(milliseconds)))
    .compile();
  return testing.createNestApplication(logger);
}
