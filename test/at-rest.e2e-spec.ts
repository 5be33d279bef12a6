import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { post } from './support/channel-requests.js';
import { databases } from './support/databases.js';
import { dump } from './support/dump.js';
import { clientId } from './support/host.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { sendRequest, nextRequest } from './support/browser.js';
import { logOut, pathOf, signIn, start, startHost, stateCookies } from './support/logout-host.js';

/** The columns with personal data or secrets in clear, as the documentation lists them. */
async function documentedColumns(): Promise<string[]> {
  const text = await readFile(new URL('../docs/stored-data.md', import.meta.url), 'utf8');
  const section = /## Columns that are not encrypted\n([^]*?)\n## /.exec(text)?.[1] ?? '';
  return [...section.matchAll(/^\| `(\w+\.\w+)`/gm)].map(([, column]) => column ?? '').sort();
}

describe.each(databases)('attack 7: at rest, on $name', (database) => {
  it('the database holds no session token, no other token, sid, sub, e-mail address or state in clear, except in the documented columns', async () => {
    const host = await startHost({ database });
    const secret = new Set<string>();
    const tell = (...values: (string | undefined)[]) => {
      for (const value of values) secret.add(value ?? '');
    };
    const signInAs = async (sub: string) => {
      const email = `${sub}@example.com`;
      const signedIn = await signIn(host, { sub, claims: { email } });
      const { session, login, idToken } = signedIn;
      const refreshToken = host.oneId.refreshToken({ clientId, login });
      await host.app.get(SessionRegistry).refresh(session.id, { refreshToken });
      // the app has lost the answer, and registers the same ID token again
      const again = await host.app.get(SessionRegistry).register({ idToken });
      expect(await host.fetch('/me', { session: again.sessionToken })).toMatchObject({ status: 200 });
      tell(session.sessionToken, again.sessionToken);
      tell(sub, email, login.sid, idToken, ...idToken.split('.'), refreshToken);
      return signedIn;
    };

    // a session that is only signed in
    await signInAs('user-of-this-test-1');
    const idToken = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: 'user-of-this-test-0' }) });
    const labelled = await host.app.get(SessionRegistry).register({ idToken, label: 'the phone of this test' });
    tell(labelled.sessionToken, 'user-of-this-test-0', 'the phone of this test');
    // logged out by OneID, over the back-channel and the front-channel
    const second = await signInAs('user-of-this-test-2');
    const logoutToken = await host.oneId.logoutToken({ clientId, sid: second.login.sid, claims: { jti: 'the-jti' } });
    tell(logoutToken, ...logoutToken.split('.'), 'the-jti');
    expect((await post(host, logoutToken)).status).toBe(200);
    const third = await signInAs('user-of-this-test-3');
    const query = new URLSearchParams({ iss: host.oneId.issuer, sid: third.login.sid });
    expect((await host.fetch(`/frontchannel_logout?${query.toString()}`)).status).toBe(200);
    // logged out by the user, who comes back from OneID
    const fourth = await signInAs('user-of-this-test-4');
    const toOneId = nextRequest(await (await start(fourth.browser)).text());
    tell(toOneId.fields['state'], ...stateCookies(fourth.browser).map((name) => fourth.browser.cookies.get(name)));
    const back = pathOf((await sendRequest(toOneId)).headers.get('location') ?? '');
    expect((await fourth.browser.visit(back)).status).toBe(303);
    // logged out by the user, who does not come back
    const fifth = await signInAs('user-of-this-test-5');
    tell(new URL(await logOut(fifth.browser)).searchParams.get('state') ?? '');
    // logged out by an administrator
    const sixth = await signInAs('user-of-this-test-6');
    await host.app.get(SessionRegistry).end(sixth.session.id, { by: 'the-admin', reason: 'the-reason' });
    tell('the-admin', 'the-reason');
    await signInAs('user-of-this-test-7');
    await host.app.get(SessionRegistry).endAll({ sub: 'user-of-this-test-7' });

    // replaced by the next sign-in of the same browser
    const eighth = await signInAs('user-of-this-test-8');
    const next = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: 'user-of-this-test-9' }) });
    const replaces = eighth.session.sessionToken;
    tell((await host.app.get(SessionRegistry).register({ idToken: next, replaces })).sessionToken);
    tell('user-of-this-test-9');

    const values = await dump(host.app.get(SessionDatabase, { strict: false }));
    const tables = new Set(values.map(({ column }) => column.split('.')[0]));
    expect([...tables].sort()).toEqual([
      'oneid_client_target',
      'oneid_login_user',
      'oneid_logout',
      'oneid_logout_migrations',
      'oneid_session',
      'oneid_session_alias',
      'oneid_session_tokens',
    ]);
    const found = values.filter(({ value }) =>
      [...secret].some((part) => part.length > 3 && value.toLowerCase().includes(part.toLowerCase())),
    );
    const columns = [...new Set(found.map(({ column }) => column))].sort();
    await host.stop();
    expect(columns).toEqual(await documentedColumns());
    expect(columns).toEqual([
      'oneid_logout.author',
      'oneid_logout.reason',
      'oneid_session.label',
      'oneid_session.sid',
      'oneid_session.sub',
    ]);
  });
});
