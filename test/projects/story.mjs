// node story.mjs FOLDER ENTRY: starts the built app, signs a user in by the authorization code flow, logs the user out at
// OneID and in the app, and checks what the guard answers. A project has this file in its folder, so the OneID comes
// from the library that the project has installed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { URLSearchParams } from 'node:url';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';

/** How long the app may take until it answers, in milliseconds. */
const BOOT_MS = 30_000;

const [cwd, entry] = process.argv.slice(2);
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const redirectUri = `${url}/login/callback`;
const oneId = await OneIdTestProvider.start({
  clients: [
    {
      clientId: 'my-app',
      clientSecret: 'secret',
      redirectUris: [redirectUri],
      postLogoutRedirectUris: [`${url}/logout/callback`],
      backchannelLogoutUri: `${url}/backchannel_logout`,
    },
  ],
});

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The browser's way to OneID and back to the app. @returns the session cookie */
async function signIn() {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'my-app',
    redirect_uri: redirectUri,
    scope: 'openid',
    state: 'a-state-of-the-app',
  });
  const atOneId = await fetch(`${oneId.url('/oauth2/auth')}?${query}`, { redirect: 'manual' });
  const atApp = await fetch(atOneId.headers.get('location'));
  assert.equal(atApp.status, 200, await atApp.text());
  return atApp.headers.get('set-cookie').split(';')[0];
}

async function expectAlive(cookie, sub) {
  const answer = await fetch(`${url}/me`, { headers: { cookie } });
  assert.deepEqual([answer.status, await answer.json()], [200, { sub }]);
}

async function expectLoggedOut(cookie) {
  const answer = await fetch(`${url}/me`, { headers: { cookie } });
  assert.deepEqual([answer.status, (await answer.json()).error], [401, 'session_logged_out']);
}

const output = [];
const app = spawn(process.execPath, [entry], {
  cwd,
  env: { ...process.env, PORT: String(port), ISSUER: oneId.issuer, PUBLIC_URL: url },
});
for (const stream of [app.stdout, app.stderr]) stream.on('data', (chunk) => output.push(chunk));
const ended = new Promise((resolve) => app.on('close', resolve));
try {
  const deadline = Date.now() + BOOT_MS;
  while (!(await fetch(url).catch(() => undefined))) {
    assert.equal(app.exitCode, null, 'the app has ended');
    assert.ok(Date.now() < deadline, 'the app does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  const login = oneId.signIn({ sub: 'alice' });
  const cookie = await signIn();
  await expectAlive(cookie, 'alice');
  const { backchannel } = await oneId.logout(login);
  assert.deepEqual(
    backchannel.map(({ delivered }) => delivered),
    [true],
  );
  await expectLoggedOut(cookie);

  oneId.signIn({ sub: 'bob' });
  const second = await signIn();
  await expectAlive(second, 'bob');
  const logout = await fetch(`${url}/logout`, {
    method: 'POST',
    headers: { cookie: second, accept: 'application/json', 'sec-fetch-site': 'same-origin' },
  });
  assert.equal(logout.status, 200);
  const { url: next } = await logout.json();
  assert.ok(next.startsWith(oneId.url('/oauth2/sessions/logout')), next);
  await expectLoggedOut(second);
} catch (error) {
  console.error(Buffer.concat(output).toString());
  console.error(error);
  process.exitCode = 1;
} finally {
  app.kill();
  await ended;
  await oneId.close();
}
