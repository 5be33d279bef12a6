import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { APP_GUARD } from '@nestjs/core';
import { sessionDataSourceOptions, type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { createSigningKey, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { DataSource } from 'typeorm';
import { type CheckResult } from '../libs/oneid-logout/src/doctor/check-result.js';
import { terminalReport } from '../libs/oneid-logout/src/doctor/report.js';
import { run } from '../libs/oneid-logout/src/doctor/run.js';
import { type DatabaseKind, postgres, sqlite } from './support/databases.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { suiteKey } from './support/suite-key.js';
import { terminalSvg } from './support/terminal-svg.js';
import { ThrottlerGuard, ThrottlerModule } from './support/throttler.js';

/** A host with nothing wrong. */
let host: Host;
shareAmongTests(
  () => Host.start(),
  (started) => void (host = started),
);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  host.oneId.heal();
  for (const close of closers.splice(0).reverse()) await close();
});

async function startHost(settings: HostSettings): Promise<Host> {
  const started = await Host.start(settings);
  closers.push(() => started.stop());
  return started;
}

/** A database without tables. */
async function createDatabase(kind: DatabaseKind): Promise<SessionDatabaseOptions> {
  const database = await kind.create();
  closers.push(() => database.drop());
  return database.options;
}

/** Serves this answer in front of the app, as a proxy does. @returns its URL */
async function startProxy(handle: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const surroundings = (environment: Record<string, string> = {}, stdin = '') => ({
  ...{ environment, columns: undefined, stdin: Readable.from([stdin]) },
});

const fileOf = ({ testDatabase }: Host) => String(testDatabase.options.database);
const flags = (settings: Record<string, string>) =>
  Object.entries(settings).flatMap(([name, value]) => (value === '' ? [] : [`--${name}`, value]));

/** Runs the doctor on a host. @param changes flags in place of the right ones; an empty value leaves a flag out */
async function examine(
  on: Host,
  changes: Record<string, string> = {},
  environment: Record<string, string> = {},
  stdin = '',
) {
  const right = { issuer: on.oneId.issuer, 'client-id': clientId, 'base-url': on.url, 'database-url': fileOf(on) };
  const args = ['doctor', '--json', ...flags({ ...right, ...changes })];
  const { stdout, exitCode } = await run(args, surroundings(environment, stdin));
  const { checks, healthy } = JSON.parse(stdout) as { checks: CheckResult[]; healthy: boolean };
  expect(healthy).toBe(exitCode === 0);
  const unwell = checks.filter(({ status }) => status === 'fault' || status === 'warning');
  return { exitCode, checks, unwell, stdout };
}

const faultOf = (name: string, found: string, expected: string, advice: string): CheckResult => ({
  ...{ name, status: 'fault', found, expected, advice },
});
const PUBLIC = 'Give the module your @Public() in routeDecorators, or leave its routes out of the guard.';
const SAME_VALUE = 'Give the app and the doctor the same value.';
const backchannelOf = (url: string) =>
  `${url}/backchannel_logout: the library's 400 with the code logout_token_events_invalid`;
const frontchannelOf = (url: string) => `${url}/frontchannel_logout: the library's page, which OneID's page may frame`;
const callbackOf = (url: string) => `${url}/logout/callback: the library's refusal of a prefetch (403, no-store)`;

describe('the doctor, on an app without a fault', () => {
  it('all checks pass, and the exit code is 0', async () => {
    const { exitCode, checks } = await examine(host);
    const statuses = Object.fromEntries(checks.map(({ name, status }) => [name, status]));
    expect(statuses).toEqual({
      ...{ discovery: 'ok', issuer: 'ok', endpoints: 'ok', 'logout channels': 'ok', algorithm: 'ok', keys: 'ok' },
      ...{ 'key ids': 'ok', "provider's clock": 'ok', database: 'ok', migrations: 'ok', tables: 'ok' },
      ...{ 'back-channel': 'ok', 'front-channel': 'ok', callback: 'ok', 'ID token': 'skipped' },
    });
    expect(exitCode).toBe(0);
  });

  it('it passes on Fastify with PostgreSQL, and compares the clock of this database, too', async () => {
    const fastify = await startHost({ adapter: 'fastify', database: postgres });
    const { url } = fastify.testDatabase.options as { url: string };
    const { unwell, checks } = await examine(fastify, { 'database-url': url });
    expect(unwell).toEqual([]);
    expect(checks.find(({ name }) => name === "database's clock")?.status).toBe('ok');
  });

  it('it has no effect: nothing is stored or ended, and the file of the database stays as it is', async () => {
    const { session } = await host.signIn();
    const before = await host.stored();
    const file = readFileSync(fileOf(host));
    expect((await examine(host)).exitCode).toBe(0);
    expect(readFileSync(fileOf(host)).equals(file)).toBe(true);
    expect(await host.stored()).toEqual(before);
    expect((await host.fetch('/me', { session })).status).toBe(200);
  });

  it('of an app that does not run, the SQLite file stays as it is, beside an empty log', async () => {
    const options = await createDatabase(sqlite);
    const database = await new DataSource(sessionDataSourceOptions(options)).initialize();
    await database.runMigrations();
    await database.destroy();
    const file = String(options.database);
    const content = readFileSync(file);
    expect([existsSync(`${file}-shm`), existsSync(`${file}-wal`)]).toEqual([false, false]);
    expect((await examine(host, { 'database-url': file })).exitCode).toBe(0);
    expect(readFileSync(file).equals(content)).toBe(true);
    // SQLite makes it, and -shm, for each reader of a file in WAL mode
    expect(readFileSync(`${file}-wal`).length).toBe(0);
  });

  it('without a database URL, it says what it did not check', async () => {
    const { exitCode, checks } = await examine(host, { 'database-url': '' });
    expect(exitCode).toBe(0);
    expect(checks.find(({ name }) => name === 'database')).toEqual({
      ...{ name: 'database', status: 'skipped', found: 'not checked: the doctor has no database URL', expected: '' },
      advice: 'Give --database-url, or set DATABASE_URL.',
    });
    expect(checks.some(({ name }) => name === 'migrations')).toBe(false);
  });
});

describe('the doctor, on a OneID or options with a fault', () => {
  it('a wrong issuer: nothing is there', async () => {
    const issuer = `${host.oneId.issuer}realms/none`;
    const { exitCode, unwell } = await examine(host, { issuer });
    const url = `${issuer}/.well-known/openid-configuration`;
    expect(unwell[0]).toEqual(
      faultOf(
        'discovery',
        `${url} answered 404`,
        `the configuration of ${issuer}, as JSON`,
        `Nothing is there: the option issuer has a wrong host, or lacks a path such as /realms/NAME. ${SAME_VALUE}`,
      ),
    );
    // the app, too, has another issuer
    expect(unwell.map(({ name }) => name)).toEqual(['discovery', 'back-channel']);
    expect(unwell[1]?.advice).toBe('The app has another issuer than --issuer. Give both the issuer of your OneID.');
    expect(exitCode).toBe(1);
  });

  it('the issuer of another OneID', async () => {
    const other = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      metadata: { issuer: 'https://other.example/' },
    });
    closers.push(() => other.close());
    const { exitCode, unwell } = await examine(host, { issuer: other.issuer });
    expect(unwell[0]).toEqual(
      faultOf(
        'discovery',
        `${other.issuer}.well-known/openid-configuration names the issuer 'https://other.example/', but the option issuer is ` +
          `'${other.issuer}'`,
        `the configuration of ${other.issuer}, as JSON`,
        `Put the provider's issuer into the option, because its tokens name it. ${SAME_VALUE}`,
      ),
    );
    expect(exitCode).toBe(1);
  });

  it('a trailing slash is a warning, because the library accepts it', async () => {
    const issuer = host.oneId.issuer.replace(/\/$/, '');
    const { exitCode, unwell } = await examine(host, { issuer });
    expect(unwell).toEqual([
      {
        ...{ name: 'issuer', status: 'warning', expected: `'${issuer}/'` },
        found: `'${issuer}': it differs in the trailing slash`,
        advice:
          'This library accepts both, unless the option endpoints is set. Other code, such as your sign-in, may compare the ' +
          'issuer exactly, so write it as the provider does.',
      },
    ]);
    expect(exitCode).toBe(0);
  });

  it.each([
    [
      'a page',
      { body: '<!doctype html>', headers: { 'content-type': 'text/html' } },
      'answered with an HTML page, not with JSON',
      `The URL leads to a website, or a proxy shows a page of its own. Check the option issuer. ${SAME_VALUE}`,
    ],
    [
      'a redirect',
      { redirectTo: 'https://new.example/' },
      "answered 302, a redirect to 'https://new.example/'",
      `The library follows no redirect of the provider. Put the URL that answers by itself into the option issuer. ${SAME_VALUE}`,
    ],
    [
      'an outage',
      { status: 503 },
      'answered 503',
      'The provider, or the proxy in front of it, has a problem now. Look at its log, and try again.',
    ],
  ])('discovery brings %s', async (_what, trouble, found, advice) => {
    host.oneId.fail(endpointPaths.discovery, trouble);
    const { issuer } = host.oneId;
    const { exitCode, unwell } = await examine(host);
    const url = `${issuer}.well-known/openid-configuration`;
    expect(unwell).toEqual([
      faultOf('discovery', `${url} ${found}`, `the configuration of ${issuer}, as JSON`, advice),
    ]);
    expect(exitCode).toBe(1);
  });

  it('a key set without a key that can verify the tokens', async () => {
    const { publicJwk } = await createSigningKey('ES256');
    const body = JSON.stringify({ keys: [publicJwk] });
    host.oneId.fail(endpointPaths.jwks, { body, headers: { 'content-type': 'application/json' } });
    const { exitCode, unwell } = await examine(host);
    const url = `${host.oneId.issuer}.well-known/jwks.json`;
    expect(unwell).toEqual([
      faultOf(
        'keys',
        `${url} has no key for RS256. It contains: EC P-256 ES256 sig`,
        'a key set with a key for RS256',
        'If the provider signs with another algorithm, set idTokenSignedResponseAlg of the client, and give the doctor --alg. ' +
          'A key must be public, for signatures, and of at least 2048 bits if it is RSA.',
      ),
    ]);
    expect(exitCode).toBe(1);
  });

  it('an algorithm that the provider does not use', async () => {
    const { exitCode, unwell } = await examine(host, { alg: 'ES256' });
    expect(unwell.map(({ name }) => name)).toEqual(['algorithm', 'keys', 'back-channel']);
    expect(unwell[0]?.found).toBe("the provider signs ID tokens with 'RS256'");
    expect(unwell[2]?.advice).toBe(
      'The app has another idTokenSignedResponseAlg than --alg. Give both the algorithm of the registration.',
    );
    expect(exitCode).toBe(1);
  });

  it('two keys with one kid, endpoints on another host, and no back-channel logout are warnings', async () => {
    const { publicJwk } = host.oneId.signingKey;
    const kid = String(publicJwk.kid);
    const body = JSON.stringify({ keys: [publicJwk, publicJwk] });
    host.oneId.fail(endpointPaths.jwks, { body, headers: { 'content-type': 'application/json' } });
    host.oneId.setMetadata({ token_endpoint: 'https://internal.example/token', backchannel_logout_supported: false });
    closers.push(() => {
      const token_endpoint = host.oneId.url(endpointPaths.token);
      host.oneId.setMetadata({ token_endpoint, backchannel_logout_supported: true });
    });
    const { exitCode, unwell } = await examine(host);
    expect(unwell.map(({ name, status, found }) => [name, status, found])).toEqual([
      ['endpoints', 'warning', 'token_endpoint on internal.example'],
      ['logout channels', 'warning', 'not true: backchannel_logout_supported'],
      ['key ids', 'warning', `several keys have the kid '${kid}'`],
    ]);
    expect(exitCode).toBe(0);
  });

  it("a provider's clock that is two minutes behind", async () => {
    const now = () => Date.now() - 120_000;
    const late = await OneIdTestProvider.start({ signingKey: await suiteKey(), now });
    closers.push(() => late.close());
    const { exitCode, checks } = await examine(host, { issuer: late.issuer });
    const clock = checks.find(({ name }) => name === "provider's clock");
    expect(clock?.status).toBe('fault');
    expect(clock?.found).toMatch(/^the provider's clock is (119|120) s behind this machine's$/);
    expect(exitCode).toBe(1);
  });

  it('another client id than the app', async () => {
    const { exitCode, unwell } = await examine(host, { 'client-id': 'another' });
    expect(unwell).toEqual([
      faultOf(
        'back-channel',
        "the library answered 400 with the code 'logout_token_audience_mismatch': 'aud is ?another?, expected ?app?, and " +
          "beside it only the client?s trustedAudiences'",
        backchannelOf(host.url),
        'The app has another clientId than --client-id. Give both the id of the registration.',
      ),
    ]);
    expect(exitCode).toBe(1);
  });

  it('a provider that nobody can reach', async () => {
    const { exitCode, unwell } = await examine(host, { issuer: 'http://127.0.0.1:1/' });
    expect(unwell[0]).toEqual(
      faultOf(
        'discovery',
        'http://127.0.0.1:1/.well-known/openid-configuration gave no answer: bad port',
        'the configuration of http://127.0.0.1:1/, as JSON',
        'Check that this machine reaches the host, and that no proxy or firewall closes the connection.',
      ),
    );
    expect(exitCode).toBe(1);
  });

  it('an issuer without TLS', async () => {
    const { unwell } = await examine(host, { issuer: 'http://oneid.example/' });
    expect(unwell[0]?.found).toBe('the issuer is http://oneid.example/, without TLS');
  });
});

describe('the doctor, on a database with a fault', () => {
  it('a pending migration is named, and not run', async () => {
    const file = String((await createDatabase(sqlite)).database);
    writeFileSync(file, '');
    const { exitCode, unwell } = await examine(host, { 'database-url': `sqlite:${file}` });
    expect(unwell).toEqual([
      faultOf(
        'migrations',
        'pending: CreateOneIdLogoutTables1790000000000, AddEveryone1791000000000, AddLogoutAuthor1793000000000, AddSessionActivity1794000000000, AddRecordingTime1795000000000, AddActivityIndex1796000000000',
        'no pending migrations',
        'Start the app once with runMigrations (the default), or run your deploy job. If the tables are in a schema or have ' +
          'a prefix, give --schema or --entity-prefix.',
      ),
    ]);
    expect(exitCode).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('a SQLite file that is not there is not created', async () => {
    const { unwell } = await examine(host, { 'database-url': '/tmp/no-such-folder/app.sqlite' });
    expect(unwell).toEqual([
      faultOf(
        'database',
        'there is no file /tmp/no-such-folder/app.sqlite',
        'a SQLite file',
        'The module creates it at the first boot. Correct the path, or start the app once.',
      ),
    ]);
  });

  describe('PostgreSQL', () => {
    /** Runs statements as the owner of a database. */
    async function onPostgres(options: SessionDatabaseOptions, ...statements: string[]): Promise<readonly object[]> {
      const { default: pg } = await import('pg');
      const client = new pg.Client((options as { url: string }).url);
      await client.connect();
      try {
        let rows: readonly object[] = [];
        for (const statement of statements) rows = (await client.query<object>(statement)).rows;
        return rows;
      } finally {
        await client.end();
      }
    }
    const nameOf = (url: string) => new URL(url).pathname.slice(1);

    it('a pending migration, in a schema of its own', async () => {
      const options = await createDatabase(postgres);
      const { url } = options as { url: string };
      const { unwell } = await examine(host, { 'database-url': url, schema: 'logout' });
      expect(unwell.map(({ name, found }) => [name, found])).toEqual([
        [
          'migrations',
          'pending: CreateOneIdLogoutTables1790000000000, AddEveryone1791000000000, AddLogoutAuthor1793000000000, AddSessionActivity1794000000000, AddRecordingTime1795000000000, AddActivityIndex1796000000000',
        ],
      ]);
      expect(await onPostgres(options, "SELECT 1 FROM pg_tables WHERE schemaname IN ('public', 'logout')")).toEqual([]);
    });

    it('an encoding that lacks characters', async () => {
      const options = await createDatabase(postgres);
      const url = new URL((options as { url: string }).url);
      const latin = `${nameOf(url.href)}_latin1`;
      await onPostgres(options, `CREATE DATABASE ${latin} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`);
      closers.push(() => onPostgres(options, `DROP DATABASE ${latin}`));
      url.pathname = `/${latin}`;
      const { exitCode, unwell } = await examine(host, { 'database-url': url.href });
      expect(unwell).toEqual([
        faultOf(
          'database',
          "can't use this database: its encoding is LATIN1, which lacks characters of names",
          'a database that the library can use',
          'Create a database with the encoding UTF8.',
        ),
      ]);
      expect(exitCode).toBe(1);
    });

    it('a database that only allows reading, and one that may forget a commit', async () => {
      const readOnly = await startHost({ database: { take: () => postgres.create() } });
      const { options } = readOnly.testDatabase;
      const { url } = options as { url: string };
      await onPostgres(
        options,
        `ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = on`,
        `ALTER DATABASE ${nameOf(url)} SET synchronous_commit = off`,
      );
      const { exitCode, unwell } = await examine(readOnly, { 'database-url': url });
      expect(unwell).toEqual([
        {
          ...{ name: 'database', status: 'warning', expected: 'a database that the library can use' },
          found:
            "The database's synchronous_commit is off: a crash may lose logouts that OneID already has a 200 for, and their " +
            'sessions would be alive again. Change this setting.',
          advice: 'Change it as the warning says.',
        },
        faultOf(
          'tables',
          'the table "oneid_session" can\'t be used: cannot execute INSERT in a read-only transaction',
          'SELECT, INSERT, UPDATE and DELETE on each table of the library',
          'Give the role of the app these rights. A database that only allows reading is no database for the app.',
        ),
      ]);
      expect(exitCode).toBe(1);
    });

    it('a wrong password, which no output shows', async () => {
      const options = await createDatabase(postgres);
      const url = new URL((options as { url: string }).url);
      url.password = 'top%2Fsecret';
      url.username = 'stranger';
      const { exitCode, stdout, unwell } = await examine(host, { 'database-url': url.href });
      expect(exitCode).toBe(1);
      expect(unwell[0]?.name).toBe('database');
      expect(stdout).not.toMatch(/top(%2F|\/)secret/);
    });
  });
});

const NOT_PUBLIC = { provide: APP_GUARD, useValue: { canActivate: () => false } };

describe('the doctor, on an app with a fault', () => {
  it('a global guard on the routes', async () => {
    const guarded = await startHost({ providers: [NOT_PUBLIC] });
    const { exitCode, unwell } = await examine(guarded);
    const found = 'a guard of the app answered 403';
    expect(unwell).toEqual([
      faultOf('back-channel', found, backchannelOf(guarded.url), PUBLIC),
      faultOf('front-channel', found, frontchannelOf(guarded.url), PUBLIC),
      faultOf('callback', found, callbackOf(guarded.url), PUBLIC),
    ]);
    expect(exitCode).toBe(1);
  });

  it('a global throttler: first a warning, and a fault when it refuses', async () => {
    const throttled = await startHost({
      imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1 }])],
      providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    });
    const first = await examine(throttled);
    expect(first.unwell).toEqual([
      {
        ...{ name: 'back-channel', status: 'warning', expected: 'no rate limit at this path' },
        found: "the library answered, but a rate limit counts these requests ('1')",
        advice:
          'All logouts come from the few addresses of OneID. Leave this path out of the limit: with @nestjs/throttler, put ' +
          '@SkipThrottle() into routeDecorators.',
      },
    ]);
    expect(first.exitCode).toBe(0);
    const second = await examine(throttled);
    expect(second.unwell[0]).toEqual(
      faultOf(
        'back-channel',
        'a throttler of the app answered 429',
        backchannelOf(throttled.url),
        'Leave this path out of it: all logouts come from the few addresses of OneID. With @nestjs/throttler, put ' +
          '@SkipThrottle() into routeDecorators.',
      ),
    );
    expect(second.exitCode).toBe(1);
  });

  it('a missing prefix: the doctor finds the routes', async () => {
    const prefixed = await startHost({ configure: (app) => void app.setGlobalPrefix('api') });
    const { exitCode, unwell } = await examine(prefixed);
    expect(unwell[0]).toEqual(
      faultOf(
        'back-channel',
        'the app, but not at a route of this library, answered 404',
        backchannelOf(prefixed.url),
        `The library answers at ${prefixed.url}/api/backchannel_logout: register this URI at OneID, and give --base-url ` +
          `${prefixed.url}/api.`,
      ),
    );
    expect(unwell.map(({ name }) => name)).toEqual(['back-channel', 'front-channel', 'callback']);
    expect(exitCode).toBe(1);
    expect((await examine(prefixed, { 'base-url': `${prefixed.url}/api` })).unwell).toEqual([]);
  });

  it("a proxy's page, also in place of a 404", async () => {
    const url = await startProxy((_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<html>nginx</html>');
    });
    const { exitCode, unwell } = await examine(host, { 'base-url': url });
    const finding = [
      'a proxy or another server answered 404',
      'Have the proxy pass this path on to the app, and check the host of --base-url.',
    ] as const;
    expect(unwell).toEqual([
      faultOf('back-channel', finding[0], backchannelOf(url), finding[1]),
      faultOf('front-channel', finding[0], frontchannelOf(url), finding[1]),
      faultOf('callback', finding[0], callbackOf(url), finding[1]),
    ]);
    expect(exitCode).toBe(1);
  });

  it('a redirect from http to https', async () => {
    const url = await startProxy((request, response) => {
      response.writeHead(301, { location: `https://app.example${request.url ?? ''}` }).end();
    });
    const { exitCode, unwell } = await examine(host, { 'base-url': url });
    expect(unwell[0]).toEqual(
      faultOf(
        'back-channel',
        "a redirect answered 301, to 'https://app.example/backchannel_logout'",
        backchannelOf(url),
        'OneID follows no redirect. Register the https URI at OneID, and give it as --base-url.',
      ),
    );
    expect(exitCode).toBe(1);
  });

  it.each([
    ['303, to a page of the app', 303, '/welcome?code=a-secret#top', "a redirect answered 303, to '/welcome'"],
    ['200, with a page', 200, undefined, 'a page, such as that of a single-page app, answered 200'],
    ['403, without the words of the library', 403, undefined, 'a proxy or a firewall answered 403'],
  ])('something else at the path of the callback answers %s', async (_what, status, location, found) => {
    const url = await startProxy((request, response) => {
      if (!request.url?.startsWith('/logout/callback')) return pass(host, request, response, {});
      return response.writeHead(status, location === undefined ? {} : { location }).end('<!doctype html>');
    });
    const { exitCode, unwell, stdout } = await examine(host, { 'base-url': url });
    expect(unwell).toEqual([faultOf('callback', found, callbackOf(url), expect.any(String) as unknown as string)]);
    if (status === 303) {
      expect(unwell[0]?.advice).toBe(
        "This is not the library's route, which refuses a prefetch with a 403 of its own. A guard, another route or a proxy " +
          'has answered: let the requests to this path through to the library.',
      );
    }
    expect(stdout).not.toContain('a-secret');
    expect(exitCode).toBe(1);
  });

  it("a proxy with helmet's headers: OneID may not frame the front-channel", async () => {
    const headers = {
      'x-frame-options': 'SAMEORIGIN',
      'content-security-policy': "default-src 'self';frame-ancestors 'self'",
    };
    const url = await startProxy((request, response) => pass(host, request, response, headers));
    const { exitCode, unwell } = await examine(host, { 'base-url': url });
    const origin = new URL(host.oneId.issuer).origin;
    expect(unwell).toEqual([
      faultOf(
        'front-channel',
        `Content-Security-Policy has frame-ancestors '?self?', so the browser does not show it in ${origin}`,
        frontchannelOf(url),
        'A proxy or a middleware that runs after the library (helmet, for example) sets this header. Let it leave this path ' +
          'alone.',
      ),
    ]);
    expect(exitCode).toBe(1);
  });

  it('a proxy may write the origin of OneID in capitals, and with a path', async () => {
    const headers = { 'content-security-policy': `frame-ancestors ${host.oneId.issuer.toUpperCase()}x` };
    const url = await startProxy((request, response) => pass(host, request, response, headers));
    expect((await examine(host, { 'base-url': url })).unwell).toEqual([]);
  });

  it('X-Frame-Options without frame-ancestors is a fault, and beside it a warning', async () => {
    const drops = { 'x-frame-options': 'DENY', 'content-security-policy': "default-src 'none'" };
    const without = await startProxy((request, response) => pass(host, request, response, drops));
    expect((await examine(host, { 'base-url': without })).unwell.map(({ status, found }) => [status, found])).toEqual([
      ['fault', "X-Frame-Options is 'DENY', so the browser shows it in no frame of OneID"],
    ]);
    const adds = await startProxy((request, response) => pass(host, request, response, { 'x-frame-options': 'DENY' }));
    expect((await examine(host, { 'base-url': adds })).unwell.map(({ status, found }) => [status, found])).toEqual([
      ['warning', "X-Frame-Options is 'DENY'. Browsers obey frame-ancestors instead, but old ones don't"],
    ]);
  });

  it('a proxy that caches, and a session middleware that sets a cookie, are warnings', async () => {
    const caching = { 'cache-control': 'max-age=60' };
    const caches = await startProxy((request, response) => pass(host, request, response, caching));
    expect((await examine(host, { 'base-url': caches })).unwell.map(({ name, status }) => [name, status])).toEqual([
      ...[
        ['back-channel', 'warning'],
        ['front-channel', 'warning'],
        ['callback', 'warning'],
      ],
    ]);
    const cookie = { 'set-cookie': 'connect.sid=a-secret; Path=/' };
    const sets = await startProxy((request, response) => pass(host, request, response, cookie));
    const { unwell, stdout } = await examine(host, { 'base-url': sets });
    expect(unwell.map(({ name, found }) => [name, found])).toEqual([
      ['front-channel', "the answer sets cookies: 'connect.sid'"],
    ]);
    expect(stdout).not.toContain('a-secret');
  });

  it('an app that does not run, and one that does not answer', async () => {
    const url = await startProxy((request, response) =>
      request.method === 'GET' ? pass(host, request, response, {}) : undefined,
    );
    const hangs = await examine(host, { 'base-url': url, 'timeout-seconds': '1' });
    expect(hangs.unwell).toEqual([
      faultOf(
        'back-channel',
        `${url}/backchannel_logout did not answer within 1 s`,
        backchannelOf(url),
        'Look whether a firewall drops the requests, or give a slow host more time with --timeout-seconds.',
      ),
    ]);
    await closers.pop()?.();
    const stopped = await examine(host, { 'base-url': url });
    expect(stopped.unwell[0]).toEqual(
      faultOf(
        'back-channel',
        `${url}/backchannel_logout gave no answer: connect ECONNREFUSED ${new URL(url).host}`,
        backchannelOf(url),
        'Start the server, or correct the port. Check which address the server listens on.',
      ),
    );
  });
});

/** Passes a request on to the host, and replaces headers of its answer. */
async function pass(to: Host, request: IncomingMessage, response: ServerResponse, headers: Record<string, string>) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = 'GET', url = '/' } = request;
  const { 'content-type': type = '', 'sec-purpose': purpose = '' } = request.headers;
  const answer = await to.fetch(url, {
    ...{ method, headers: { 'content-type': type, 'sec-purpose': String(purpose) } },
    ...(method === 'POST' && { body: Buffer.concat(chunks) }),
  });
  for (const [name, value] of [...answer.headers, ...Object.entries(headers)]) {
    if (!['connection', 'transfer-encoding'].includes(name)) response.setHeader(name, value);
  }
  response.writeHead(answer.status).end(await answer.text());
}

describe('the doctor, on an ID token', () => {
  const tokenOf = (claims: Record<string, unknown> = {}) => host.oneId.idToken({ clientId, claims });
  const expected = 'an ID token that the library accepts, with a sid';
  const WRONG =
    'Correct the option that the sentence names, or the registration at OneID, and give the doctor the same value.';

  it('accepts one from the standard input that is older than a sign-in may be, and never prints it', async () => {
    const iat = Math.floor(Date.now() / 1000) - 100_000;
    const token = await tokenOf({ iat, exp: iat + 300, auth_time: iat, rat: iat });
    const { exitCode, checks, stdout } = await examine(host, { 'id-token': '-' }, {}, `${token}\n`);
    expect(checks.at(-1)).toEqual({
      ...{ name: 'ID token', status: 'ok', expected: '', advice: '' },
      found: 'the library accepts it: iss, aud, RS256, sub and sid are as expected',
    });
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain(token.split('.')[1]);
  });

  it('one without sid', async () => {
    const token = await tokenOf({ sid: undefined });
    const { exitCode, unwell } = await examine(host, {}, { ONEID_ID_TOKEN: token });
    expect(unwell).toEqual([
      faultOf(
        'ID token',
        'it has no sid',
        expected,
        'A logout then ends all sessions of the user, and the front-channel none. Register ' +
          'backchannel_logout_session_required as true, or have the provider put sid into ID tokens.',
      ),
    ]);
    expect(exitCode).toBe(1);
  });

  it.each([
    [
      'of another client',
      { aud: ['other'] },
      /^it is not for a client of this app: its aud is 'other', expected 'app'/,
    ],
    ['of another issuer', { iss: 'https://other.example/' }, /^it is not for a client of this app: its iss is 'https:/],
    ['without sub', { sub: undefined }, /^it has no valid sub$/],
  ])('one %s', async (_what, claims, found) => {
    const { unwell } = await examine(host, {}, { ONEID_ID_TOKEN: await tokenOf(claims) });
    expect(unwell).toEqual([faultOf('ID token', expect.stringMatching(found) as unknown as string, expected, WRONG)]);
  });

  it('a text that is no token', async () => {
    const { unwell, stdout } = await examine(host, {}, { ONEID_ID_TOKEN: 'a-secret-that-is-no-token' });
    expect(unwell).toEqual([faultOf('ID token', 'it is not a JWT', expected, WRONG)]);
    expect(stdout).not.toContain('a-secret-that-is-no-token');
  });
});

describe('the pictures of docs/doctor.md', () => {
  const COLUMNS = 100;

  /** Draws the checks. The hosts get names in place of ports, which change with each run. */
  function drawingOf(checks: readonly CheckResult[], app: Host): string {
    const hosts = { [new URL(app.oneId.issuer).host]: 'oneid.example', [new URL(app.url).host]: 'my-app.example' };
    let named = JSON.stringify(checks);
    for (const [host, name] of Object.entries(hosts)) {
      named = named.replaceAll(`http://${host}`, `https://${name}`).replaceAll(host, name);
    }
    return terminalSvg(terminalReport(JSON.parse(named) as CheckResult[], { columns: COLUMNS, colour: true }), COLUMNS);
  }

  function expectCurrent(name: string, drawing: string): void {
    const file = join(import.meta.dirname, '../docs/images', name);
    if (process.env['UPDATE_DOCTOR'] !== undefined) writeFileSync(file, drawing);
    expect(drawing).toBe(readFileSync(file, 'utf8'));
  }

  it('doctor.svg shows what the doctor prints now about an app without a fault (UPDATE_DOCTOR=1 writes it)', async () => {
    const login = host.oneId.signIn();
    const { checks } = await examine(host, {}, { ONEID_ID_TOKEN: await host.oneId.idToken({ clientId, login }) });
    expectCurrent('doctor.svg', drawingOf(checks, host));
  });

  it('doctor-faults.svg shows what the doctor prints now about an app with a guard and without tables', async () => {
    const guarded = await startHost({ providers: [NOT_PUBLIC] });
    const file = String((await createDatabase(sqlite)).database);
    writeFileSync(file, '');
    const issuer = guarded.oneId.issuer.replace(/\/$/, '');
    const { checks } = await examine(guarded, { issuer, 'database-url': file });
    expectCurrent('doctor-faults.svg', drawingOf(checks, guarded));
  });
});

describe('the report for a terminal', () => {
  const checks: CheckResult[] = [
    { name: 'keys', status: 'ok', found: 'one key', expected: '', advice: '' },
    faultOf('callback', 'a redirect answered 302, to a page that asks for a login', 'the redirect', 'Let it through.'),
  ];

  it('wraps at the width of the terminal, and has no colours without one', () => {
    expect(terminalReport(checks, { columns: 60, colour: false }).split('\n')).toEqual([
      ' ✓ keys             one key',
      ' ✗ callback         found     a redirect answered 302, to a',
      '                              page that asks for a login',
      '                    expected  the redirect',
      '                    to do     Let it through.',
      '',
      ' 1 fault, 1 check passed',
      '',
    ]);
  });

  it('has colours in a terminal, unless NO_COLOR is set', async () => {
    const args = [
      'doctor',
      ...flags({ issuer: 'http://a.example', 'client-id': 'app', 'base-url': 'http://127.0.0.1:1' }),
    ];
    const printed = async (environment: Record<string, string>, columns: number | undefined) =>
      (await run(args, { ...surroundings(environment), columns })).stdout.includes('\x1b[31m');
    expect([await printed({}, 80), await printed({}, undefined)]).toEqual([true, false]);
    expect([await printed({ NO_COLOR: '1' }, 80), await printed({ FORCE_COLOR: '1' }, undefined)]).toEqual([
      false,
      true,
    ]);
  });
});

describe('the command line of the doctor', () => {
  const usage = (text: string) => ({ stdout: '', stderr: `${text}\nRun with --help for all settings.\n`, exitCode: 2 });

  it('wrong usage: exit code 2, and a sentence for each fault, without a value that may be secret', async () => {
    expect(await run(['doctor'], surroundings())).toEqual(
      usage(
        'Give --base-url, or set BASE_URL.\nGive --issuer, or set ONEID_ISSUER.\nGive --client-id, or set ONEID_CLIENT_ID.',
      ),
    );
    expect(await run([], surroundings())).toEqual(
      usage('The only command is doctor, but the command line has no command.'),
    );
    expect(await run(['doctor', '--isuer', 'x'], surroundings())).toEqual(usage("Unknown option '--isuer'."));
    expect(await run(['doctor', 'postgres://app:hidden@h/x'], surroundings())).toEqual(
      usage('Give each value a flag, such as --database-url URL. Values without a flag: 1.'),
    );
    expect(await run(['postgres://app:hidden@h/x', 'doctor'], surroundings())).toEqual(
      usage('The only command is doctor, but the command line has another one.'),
    );
    const right = [
      'doctor',
      ...flags({ issuer: 'https://a.example/', 'client-id': 'app', 'base-url': 'https://b.example' }),
    ];
    const wrong = {
      'database-url': 'oracle://u:hidden@h/x',
      alg: 'none',
      'timeout-seconds': '0',
      'base-url': 'b.example',
    };
    expect(await run([...right, ...flags(wrong)], surroundings())).toEqual(
      usage(
        '--base-url must be an http(s) URL without query, fragment or userinfo.\n' +
          '--alg must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512.\n' +
          '--database-url must be postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded), ' +
          'or sqlite:FILE.\n' +
          '--timeout-seconds must be a whole number of seconds, 1 to 999.',
      ),
    );
    for (const url of [
      'mysql2://h/x?user=u&password=hidden',
      'POSTGRES://u:hid/den@h/x',
      'mongodb+srv://u:hidden@h/x',
    ]) {
      expect(await run([...right, '--database-url', url], surroundings())).toEqual(
        usage(
          '--database-url must be postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded), ' +
            'or sqlite:FILE.',
        ),
      );
    }
    for (const url of ['postgres://app:hid%den@h/x', 'mysql://hid%den:pw@h/x', 'postgres://app:hidden%@h/x']) {
      expect(await run([...right, '--database-url', url], surroundings())).toEqual(
        usage(
          'The user or the password in --database-url has a % that begins no percent-encoded character: write %25 for a %.',
        ),
      );
    }
    expect(await run([...right, '--id-token', 'eyJ.token.given-as-file'], surroundings())).toEqual(
      usage("The file of --id-token can't be read (ENOENT). Give a file, or - for the standard input."),
    );
  });

  it('the bin runs as a process of its own, ends with exit code 1 at a fault, and reads the environment', () => {
    const main = join(import.meta.dirname, '../libs/oneid-logout/src/doctor/main.ts');
    const args = ['--import', join(import.meta.dirname, 'support/typescript.mjs'), main, 'doctor'];
    const env = { ONEID_ISSUER: 'http://127.0.0.1:1/', ONEID_CLIENT_ID: 'app', BASE_URL: 'http://127.0.0.1:1' };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/^ ✗ discovery {8}found {5}http:/);
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});
