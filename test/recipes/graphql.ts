import { setTimeout as delay } from 'node:timers/promises';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule, Query, Resolver, Subscription } from '@nestjs/graphql';
import { CurrentSession, OneIdLogoutModule, SessionAliveGuard, SessionConnections } from 'nestjs-oneid-logout';
import { type SessionFacts, sessionFromCookie, type SessionRequest, type SocketClient } from 'nestjs-oneid-logout';

const { ONEID_ISSUER: issuer = 'https://oauth-qc.vinid.dev/', ONEID_CLIENT_ID: clientId = 'my-app' } = process.env;
const { DATABASE_URL: url = 'postgres://localhost/my-app', APP_SECRETS = '', PORT = '3000' } = process.env;
const { APP_URL: baseUrl = 'https://my-app.example' } = process.env;

const { origin: ownOrigin } = new URL(baseUrl);

@Resolver()
@UseGuards(SessionAliveGuard)
export class NewsResolver {
  @Query(() => String)
  hello(@CurrentSession() session: SessionFacts): string {
    return `Hello, ${session.sub}`;
  }

  @Subscription(() => String, { resolve: (news: string) => news })
  async *news(@CurrentSession() session: SessionFacts): AsyncGenerator<string> {
    for (let day = 1; ; day += 1) {
      yield `day ${day} of ${session.sub}`;
      await delay(1000);
    }
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
    GraphQLModule.forRootAsync<ApolloDriverConfig>({
      driver: ApolloDriver,
      inject: [SessionConnections],
      useFactory: (connections: SessionConnections) => ({
        autoSchemaFile: true,
        subscriptions: {
          'graphql-ws': {
            // without accept(), a subscription goes on after a logout
            onConnect: async ({ extra }) => {
              const { socket, request } = extra as { socket: SocketClient; request: SessionRequest };
              // browsers also send the cookie from other ports and hosts of this domain;
              // a client without Origin is no web page
              const { origin = ownOrigin } = request.headers;
              return origin === ownOrigin && (await connections.accept(socket, request)) !== undefined;
            },
          },
        },
      }),
    }),
  ],
  providers: [NewsResolver],
})
export class AppModule {}

export const app = await NestFactory.create(AppModule);
await app.listen(PORT);
