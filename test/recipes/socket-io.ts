import { Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { MessageBody, type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { CurrentSession, OneIdLogoutModule, SessionAliveGuard, SessionConnections } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie, type SessionRequest, type SocketClient } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { APP_URL: baseUrl = 'https://my-app.example' } = process.env;

const { origin: ownOrigin } = new URL(baseUrl);

@WebSocketGateway({
  // browsers also send the cookie from other ports and hosts of this domain; our own page sends no Origin when it polls
  allowRequest: ({ headers }: SessionRequest, answer: (error: null, allowed: boolean) => void) => {
    answer(null, (headers.origin ?? ownOrigin) === ownOrigin);
  },
})
export class ChatGateway implements OnGatewayConnection {
  constructor(private readonly connections: SessionConnections) {}

  async handleConnection(client: SocketClient): Promise<void> {
    await this.connections.accept(client); // socket.io keeps the request
  }

  @SubscribeMessage('say')
  @UseGuards(SessionAliveGuard)
  say(@CurrentSession() session: SessionFacts, @MessageBody() text: string) {
    return { event: 'said', data: `${session.sub}: ${text}` };
  }
}

@Module({
  imports: [
    OneIdLogoutModule.forRoot({
      clients: [{ issuer, clientId, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
      database: { type: 'postgres', url },
      secrets: APP_SECRETS.split(','),
      sessionFrom: sessionFromCookie('__Host-session'),
    }),
  ],
  providers: [ChatGateway],
})
export class AppModule {}

export const app = await NestFactory.create(AppModule);
app.useWebSocketAdapter(new IoAdapter(app));
await app.listen(PORT);
