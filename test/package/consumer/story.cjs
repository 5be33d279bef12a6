// The same steps for an ESM app and a CommonJS app: sign in, log out at OneID, stay logged out.
const assert = require('node:assert/strict');
const { Reflector } = require('@nestjs/core');

exports.tell = async ({ NestFactory, library, testing }) => {
  const oneId = await testing.OneIdTestProvider.start({ clients: [{ clientId: 'app' }] });
  class AppModule {}
  const module = library.OneIdLogoutModule.forRoot({
    clients: [{ issuer: oneId.issuer, clientId: 'app', postLogoutRedirectUri: 'https://app.example/logout/callback' }],
    database: { type: 'better-sqlite3', database: ':memory:' },
    sessionFrom: library.sessionFromCookie('session'),
  });
  const app = await NestFactory.create({ module: AppModule, imports: [module] }, { logger: false });
  await app.listen(0, '127.0.0.1');
  try {
    // the app and the library must use the same copy of Nest; otherwise Nest could not inject the library's classes
    assert.ok(app.get(Reflector));
    const login = oneId.signIn();
    const idToken = await oneId.idToken({ clientId: 'app', login });
    const registry = app.get(library.SessionRegistry);
    const { sessionToken, ...session } = await registry.register({ idToken });
    assert.match(sessionToken, /^[0-9a-f]{64}$/);
    assert.deepEqual(await registry.listAlive(session), [session]);

    const uri = `${await app.getUrl()}/backchannel_logout`;
    const delivery = await oneId.deliver(uri, await oneId.logoutToken({ clientId: 'app', login }), { attempts: 1 });
    assert.equal(delivery.attempts[0].status, 200);
    assert.deepEqual(await registry.listAlive(session), []);
    // the same ID token again causes the library's own error
    await assert.rejects(registry.register({ idToken }), library.SessionEndedError);
  } finally {
    await app.close();
    await oneId.close();
  }
};
