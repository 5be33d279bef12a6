import { INestApplication } from '@nestjs/common';
import { Test, TestingModule } from '@nestjs/testing';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { AppModule } from './../src/app.module.js';

describe('logout at OneID (e2e)', () => {
  let oneId: OneIdTestProvider;
  let app: INestApplication;

  beforeEach(async () => {
    oneId = await OneIdTestProvider.start({ clients: [{ clientId: 'my-app' }] });
    process.env.ISSUER = oneId.issuer;
    const moduleFixture: TestingModule = await Test.createTestingModule({
      imports: [AppModule],
    }).compile();

    app = moduleFixture.createNestApplication();
    await app.listen(0, '127.0.0.1');
  });

  it('is obeyed by the guard', async () => {
    const url = await app.getUrl();
    const login = oneId.signIn({ sub: 'alice' });
    const idToken = await oneId.idToken({ clientId: 'my-app', login });
    const { sessionToken } = await app.get(SessionRegistry).register({ idToken });
    const me = () => fetch(`${url}/me`, { headers: { cookie: `session=${sessionToken}` } });
    expect(await (await me()).json()).toEqual({ sub: 'alice' });

    const logoutToken = await oneId.logoutToken({ clientId: 'my-app', login });
    const { delivered } = await oneId.deliver(`${url}/backchannel_logout`, logoutToken);

    expect(delivered).toBe(true);
    const refused = await me();
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: 'session_logged_out' });
  });

  afterEach(async () => {
    await app.close();
    await oneId.close();
  });
});
