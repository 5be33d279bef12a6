import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type BrowserLogin, memoryDatabase, OneIdTestProvider, withoutWaiting } from 'nestjs-oneid-logout/testing';
import { AppModule, Settings } from './app.module.js';

const clientId = 'my-app';
const clientSecret = 'the secret of the test';
const appUrl = 'https://my-app.example';
let oneId: OneIdTestProvider;
let app: INestApplication;
let url: string;

beforeAll(async () => {
  oneId = await OneIdTestProvider.start({
    wait: withoutWaiting,
    clients: [
      {
        clientId,
        clientSecret,
        redirectUris: [`${appUrl}/login/callback`],
        postLogoutRedirectUris: [`${appUrl}/logout/callback`],
      },
    ],
  });
  const settings: Settings = {
    ...{ issuer: oneId.issuer, clientId, clientSecret, appUrl },
    ...{ secrets: ['a secret of at least 32 characters'], database: memoryDatabase() },
  };
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Settings)
    .useValue(settings)
    .compile();
  app = module.createNestApplication({ logger: ['warn', 'error'] });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  oneId.registerClient({ clientId, backchannelLogoutUri: `${url}/backchannel_logout` });
});
afterAll(async () => {
  await oneId.deliveries(); // OneID's logouts on their way would keep app.close() waiting, on Fastify for a minute
  await app.close();
  await oneId.close();
});

/** This browser follows no redirect. The test requests each URL of the app's public origin from the app in the test instead. */
const visit = (to: string, init: RequestInit = {}) =>
  fetch(to.startsWith('/') ? url + to : to.replace(appUrl, url), { redirect: 'manual', ...init });
const locationOf = (answer: Response) => answer.headers.get('location') ?? '';
/** The cookies that an answer sets, as the browser sends them back. */
const cookiesOf = (answer: Response) =>
  answer.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ');

let login: BrowserLogin;
let cookie: string;
beforeEach(async () => {
  login = oneId.signIn({ sub: 'alice' }); // OneID has no login page: alice is signed in there from now on
  const toOneId = await visit('/login');
  const back = await visit(locationOf(toOneId));
  const signedIn = await visit(locationOf(back), { headers: { cookie: cookiesOf(toOneId) } });
  expect([signedIn.status, locationOf(signedIn)]).toEqual([302, '/me']);
  cookie = cookiesOf(signedIn);
});

const me = async () => {
  const answer = await visit('/me', { headers: { cookie } });
  return [answer.status, await answer.json()];
};
const loggedOut = [401, expect.objectContaining({ reason: 'logged_out' })];

it('signs the user in', async () => {
  expect(await me()).toEqual([200, { sub: 'alice' }]);
});

it('the log-out button logs the user out here and at OneID', async () => {
  const headers = { cookie, origin: appUrl, accept: 'application/json' };
  const started = await visit('/logout', { method: 'POST', headers });
  expect(started.status).toBe(200);
  const atOneId = await visit(((await started.json()) as { url: string }).url);
  const back = await visit(locationOf(atOneId), { headers: { cookie: cookiesOf(started) } });
  expect([back.status, locationOf(back)]).toEqual([303, '/']);
  expect(oneId.login).toBeUndefined();
  expect(await me()).toEqual(loggedOut);
});

it('a logout at OneID ends the session', async () => {
  const { backchannel } = await oneId.logout(login);
  expect(backchannel).toMatchObject([{ clientId, delivered: true }]);
  expect(await me()).toEqual(loggedOut);
});
