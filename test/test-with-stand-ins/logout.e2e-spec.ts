import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OneIdLogoutModule, sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';
import { type BrowserLogin, memoryDatabase, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { AppController, TokenClient } from './app.controller.js';

const clientId = 'my-app';
let oneId: OneIdTestProvider;
let app: INestApplication;
let url: string;

beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ clients: [{ clientId }] });
  const module = await Test.createTestingModule({
    imports: [
      OneIdLogoutModule.forRoot({
        clients: [{ issuer: oneId.issuer, clientId, postLogoutRedirectUri: 'https://my-app.example/logout/callback' }],
        database: memoryDatabase(),
        sessionFrom: sessionFromCookie('session'),
      }),
    ],
    controllers: [AppController],
    providers: [{ provide: TokenClient, useValue: {} }],
  }).compile();
  app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  // OneID needs the URL of your app; without it, logout() throws
  oneId.registerClient({ clientId, backchannelLogoutUri: `${url}/backchannel_logout` });
});
afterAll(async () => {
  await app.close();
  await oneId.close();
});

let login: BrowserLogin;
let cookie: string;
beforeEach(async () => {
  login = oneId.signIn({ sub: 'alice' });
  const idToken = await oneId.idToken({ clientId, login });
  const { sessionToken } = await app.get(SessionRegistry).register({ idToken });
  cookie = `session=${sessionToken}`;
});
afterEach(() => void jest.restoreAllMocks());

const reasonAtMe = async () =>
  ((await (await fetch(`${url}/me`, { headers: { cookie } })).json()) as { reason?: string }).reason;

it('a logout at OneID ends the session', async () => {
  expect(await reasonAtMe()).toBeUndefined();
  const { backchannel } = await oneId.logout(login);
  expect(backchannel).toMatchObject([{ clientId, delivered: true }]);
  expect(await reasonAtMe()).toBe('logged_out');
});

it('a session ends after 30 days', async () => {
  const later = Date.now() + 30 * 24 * 3600 * 1000;
  jest.spyOn(Date, 'now').mockReturnValue(later - 60_000);
  expect(await reasonAtMe()).toBeUndefined();
  jest.spyOn(Date, 'now').mockReturnValue(later);
  expect(await reasonAtMe()).toBe('expired');
});
