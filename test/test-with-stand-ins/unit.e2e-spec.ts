import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { LogoutService, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
import { StandInGuard, standInSession } from 'nestjs-oneid-logout/testing';
import { AppController, TokenClient } from './app.controller.js';

const guard = new StandInGuard();
const logout = { respond: jest.fn<LogoutService['respond']>() };
const sessions = { register: jest.fn<SessionRegistry['register']>() };
let app: INestApplication;
let url: string;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    controllers: [AppController],
    providers: [
      { provide: LogoutService, useValue: logout },
      { provide: SessionRegistry, useValue: sessions },
      { provide: TokenClient, useValue: { exchange: () => Promise.resolve('an ID token') } },
    ],
  })
    .overrideGuard(SessionAliveGuard)
    .useValue(guard)
    .compile();
  app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});
afterAll(() => app.close());

it('shows the user of the session', async () => {
  guard.signIn(standInSession({ sub: 'alice' }));
  expect(await (await fetch(`${url}/me`)).json()).toEqual({ sub: 'alice' });
});

it('refuses a user who has logged out', async () => {
  guard.refuse('logged_out');
  const response = await fetch(`${url}/me`);
  expect([response.status, await response.json()]).toEqual([
    401,
    {
      statusCode: 401,
      error: 'session_logged_out',
      message: 'A logout has ended the session',
      reason: 'logged_out',
    },
  ]);
});

it('puts the session token into the cookie', async () => {
  sessions.register.mockResolvedValue({ ...standInSession(), sessionToken: 'secret' });
  const response = await fetch(`${url}/login/callback?code=1`);
  expect(response.headers.getSetCookie()).toEqual(['session=secret; Path=/; HttpOnly; SameSite=Lax']);
  expect(sessions.register).toHaveBeenCalledWith({ idToken: 'an ID token' });
});

it('starts a logout that comes back to the home page', async () => {
  logout.respond.mockImplementation((_request, response) => {
    (response as { end(): void }).end();
    return Promise.resolve();
  });
  await fetch(`${url}/logout`, { method: 'POST' });
  expect(logout.respond.mock.calls[0]?.[2]).toEqual({ returnTo: '/' });
});
