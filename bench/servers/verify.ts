// A back-channel endpoint that does the least work: jose verifies signature and claims, and no logout is stored.
import 'reflect-metadata';
import { BadRequestException, Body, Controller, Header, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { answerQuestions, settings } from './questions.js';

export interface VerifySettings {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly clientId: string;
}

const { issuer, jwksUri, clientId } = settings() as VerifySettings;
const keys = createRemoteJWKSet(new URL(jwksUri));

@Controller()
class BackchannelController {
  @Post('backchannel_logout')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  async logout(@Body('logout_token') token: string): Promise<void> {
    const { payload } = await jwtVerify(token, keys, {
      ...{ issuer, audience: clientId, algorithms: ['RS256'], maxTokenAge: 600 },
      requiredClaims: ['iat', 'jti', 'events'],
    });
    const { events, nonce, sid, sub } = payload;
    const logout = (events as Record<string, unknown>)['http://schemas.openid.net/event/backchannel-logout'];
    if (typeof logout !== 'object' || nonce !== undefined || (sid ?? sub) === undefined)
      throw new BadRequestException();
  }
}

@Module({ controllers: [BackchannelController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
answerQuestions(await app.getUrl());
