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
import { trustMemoryForever } from './trust-memory-forever.js';
import { HostController } from './host-controller.js';

// This process is one replica. The test passes the options in the environment.
const options = JSON.parse(process.env['REPLICA_OPTIONS'] ?? '') as OneIdLogoutOptions;
const trustsMemoryForever = process.env['REPLICA_TRUSTS_MEMORY_FOREVER'] !== undefined;

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
}

@Module({
  imports: [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })],
  controllers: [HostController, SignInController],
})
class ReplicaModule {}

const app = await NestFactory.create(ReplicaModule, { logger: ['error', 'warn'] });
if (trustsMemoryForever) trustMemoryForever(app.get(LogoutFollower, { strict: false }));
await app.listen(0, '127.0.0.1');
process.send?.(await app.getUrl());
