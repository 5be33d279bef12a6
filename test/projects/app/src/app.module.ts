import { Module } from '@nestjs/common';
import { OneIdLogoutModule, sessionFromCookie } from 'nestjs-oneid-logout';
import { AccountController } from './account.controller.js';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { database } from './database.js';
import { issuer, publicUrl } from './settings.js';

@Module({
  imports: [
    OneIdLogoutModule.forRootAsync({
      useFactory: () => ({
        clients: [{ issuer: issuer(), clientId: 'my-app', postLogoutRedirectUri: `${publicUrl()}/logout/callback` }],
        database: database(),
        sessionFrom: sessionFromCookie('session'),
      }),
    }),
  ],
  controllers: [AppController, AccountController],
  providers: [AppService],
})
export class AppModule {}
