import { setImmediate as endOfTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DriverPackageNotInstalledError } from 'typeorm';
import { TestClock } from '../../../../test/support/test-clock.js';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { connectAtBoot, placeOf } from './boot-connection.js';
import { type SessionDatabaseOptions } from './data-source-options.js';
import { type DatabaseConnection, DatabaseConnector } from './database-connector.js';

const PASSWORD = 'pass-word';
const postgres: SessionDatabaseOptions = { type: 'postgres', url: `postgres://user:${PASSWORD}@db.example:5433/app` };
const mysql: SessionDatabaseOptions = { type: 'mysql', host: 'db.example', port: 3307, password: PASSWORD };

/** What a driver throws. */
const failure = (message: string, properties: object = {}) => Object.assign(new Error(message), properties);
const refused = failure('connect ECONNREFUSED 10.0.0.7:5433', { code: 'ECONNREFUSED', syscall: 'connect' });

/** Fails with these errors, one at a try, and then connects. */
class FailingConnector extends DatabaseConnector {
  readonly connection = {} as DatabaseConnection;
  tries = 0;

  constructor(private readonly errors: readonly Error[]) {
    super();
  }

  override connect(): Promise<DatabaseConnection> {
    const error = this.errors[this.tries++];
    return error === undefined ? Promise.resolve(this.connection) : Promise.reject(error);
  }
}

/** Connects when the test says so. */
class SlowConnector extends DatabaseConnector {
  closed = 0;
  readonly answers: Answer[] = [];
  readonly connection = {
    destroy: () => {
      this.closed++;
      return Promise.resolve();
    },
  } as DatabaseConnection;

  get tries(): number {
    return this.answers.length;
  }

  override connect(): Promise<DatabaseConnection> {
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  }
}

interface Answer {
  readonly resolve: (connection: DatabaseConnection) => void;
  readonly reject: (error: Error) => void;
}

describe('a boot whose database is down', () => {
  let clock: TestClock;
  let warnings: unknown[];
  beforeEach(() => {
    clock = new TestClock(Date.now());
    warnings = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(message));
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Starts to connect. `ended` is the connection or the error. */
  function start(connector: DatabaseConnector, options = postgres, connectAttempts = 10) {
    const boot: { ended?: unknown } = {};
    const end = (ended: unknown) => void (boot.ended = ended);
    void connectAtBoot(options, { clock, connector, connectAttempts }).then(end, end);
    return boot;
  }

  const warning = (attempt: number, attempts = 10) =>
    "The library can't open its database (postgres at db.example:5433): connect ECONNREFUSED 10.0.0.7:5433. That was try " +
    `${attempt} of ${attempts}. The next try is in 3 seconds.`;

  it('A11: tries again after three seconds, and goes on when the database is up', async () => {
    const connector = new FailingConnector([refused, refused]);
    const boot = start(connector);
    await endOfTurn();
    clock.advance(2_999);
    await endOfTurn();
    expect([connector.tries, warnings]).toEqual([1, [warning(1)]]);
    clock.advance(1);
    await endOfTurn();
    expect([connector.tries, warnings]).toEqual([2, [warning(1), warning(2)]]);
    clock.advance(3_000);
    await endOfTurn();
    expect([connector.tries, boot.ended]).toEqual([3, connector.connection]);
    expect(clock.timers).toBe(0);
  });

  it.each([1, 3, 10])('A11: ends with an error after %i tries', async (attempts) => {
    const connector = new FailingConnector(Array.from({ length: 99 }, () => refused));
    const boot = start(connector, postgres, attempts);
    await endOfTurn();
    for (let waits = 1; waits < attempts; waits++) {
      expect(boot.ended).toBeUndefined();
      clock.advance(3_000);
      await endOfTurn();
    }
    expect(boot.ended).toEqual(
      new UnusableDatabaseError(
        "can't open its database (postgres at db.example:5433): connect ECONNREFUSED 10.0.0.7:5433",
        { cure: 'Check that the database is running and that the option database is right' },
      ),
    );
    expect([connector.tries, clock.timers]).toEqual([attempts, 0]);
    expect(warnings).toEqual(Array.from({ length: attempts - 1 }, (_, n) => warning(n + 1, attempts)));
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('A11: ends at once when %s stops the process', async (signal) => {
    const listeners = process.listenerCount(signal);
    const connector = new FailingConnector([refused]);
    const boot = start(connector);
    await endOfTurn();
    process.emit(signal, signal);
    await endOfTurn();
    expect(boot.ended).toBeInstanceOf(UnusableDatabaseError);
    expect([connector.tries, clock.timers, process.listenerCount(signal)]).toEqual([1, 0, listeners]);
  });

  describe.each(['SIGTERM', 'SIGINT'] as const)('A11: when %s comes while it connects', (signal) => {
    let connector: SlowConnector;
    let kill: jest.SpiedFunction<typeof process.kill>;
    beforeEach(() => {
      connector = new SlowConnector();
      kill = jest.spyOn(process, 'kill').mockReturnValue(true);
    });

    const stopped = new UnusableDatabaseError(
      `did not open its database (postgres at db.example:5433), because ${signal} stopped the process`,
    );

    it('A11: Node ends the process by the signal, as without a listener', async () => {
      const boot = start(connector);
      process.emit(signal, signal);
      await endOfTurn();
      expect(kill.mock.calls).toEqual([[process.pid, signal]]);
      // the first process of a container goes on
      expect(boot.ended).toEqual(stopped);
      expect([connector.tries, clock.timers, process.listenerCount(signal), warnings]).toEqual([1, 0, 0, []]);
    });

    it('A11: the app decides about the process, and the boot ends', async () => {
      const own = jest.fn();
      process.on(signal, own);
      const boot = start(connector);
      process.emit(signal, signal);
      await endOfTurn();
      process.removeListener(signal, own);
      expect([kill.mock.calls, own.mock.calls.length, boot.ended]).toEqual([[], 1, stopped]);
      expect([connector.tries, clock.timers, process.listenerCount(signal), warnings]).toEqual([1, 0, 0, []]);
    });

    it('A11: a connection that comes later is closed, and an error that comes later is no new try', async () => {
      const boots = [start(connector), start(connector)];
      process.emit(signal, signal);
      await endOfTurn();
      const [first, second] = connector.answers;
      first?.resolve(connector.connection);
      second?.reject(refused);
      await endOfTurn();
      expect(boots).toEqual([{ ended: stopped }, { ended: stopped }]);
      expect([connector.closed, connector.tries, clock.timers, warnings]).toEqual([1, 2, 0, []]);
    });

    it('A11: a connection that comes before the signal stays, and the signal is no longer heard', async () => {
      const boot = start(connector);
      expect(process.listenerCount(signal)).toBe(1);
      connector.answers[0]?.resolve(connector.connection);
      await endOfTurn();
      process.emit(signal, signal);
      await endOfTurn();
      expect([boot.ended, connector.closed, kill.mock.calls]).toEqual([connector.connection, 0, []]);
      expect(process.listenerCount(signal)).toBe(0);
    });
  });

  const several = Object.assign(new AggregateError([refused], ''), { code: 'ECONNREFUSED' });

  it.each<[string, SessionDatabaseOptions, Error]>([
    ['refuses connections at each of its addresses', postgres, several],
    ['does not answer', postgres, failure('timeout expired')],
    ['does not answer', postgres, failure('Connection terminated due to connection timeout')],
    ['does not answer', mysql, failure('connect ETIMEDOUT', { code: 'ETIMEDOUT' })],
    ['has no name yet', postgres, failure('getaddrinfo ENOTFOUND db.example', { code: 'ENOTFOUND' })],
    ['can have no name now', mysql, failure('getaddrinfo EAI_AGAIN db.example', { code: 'EAI_AGAIN' })],
    ['has no socket yet', postgres, failure('connect ENOENT /run/x', { code: 'ENOENT', syscall: 'connect' })],
    ['is starting up', postgres, failure('the database system is starting up', { code: '57P03' })],
    ['has too many connections', postgres, failure('sorry, too many clients already', { code: '53300' })],
    ['is not reached by its pooler', postgres, failure('server login has been failing', { code: '08P01' })],
    ['ends the connection', mysql, failure('Connection lost', { code: 'PROTOCOL_CONNECTION_LOST' })],
    ['has too many connections', mysql, failure('Too many connections', { code: 'ER_CON_COUNT_ERROR' })],
    ['shuts down', mysql, failure('Server shutdown in progress', { code: 'ER_SERVER_SHUTDOWN' })],
  ])('A11: tries again when the server %s', async (_what, options, error) => {
    const connector = new FailingConnector([error]);
    const boot = start(connector, options);
    await endOfTurn();
    clock.advance(3_000);
    await endOfTurn();
    expect([connector.tries, boot.ended]).toEqual([2, connector.connection]);
  });

  it.each<[string, SessionDatabaseOptions, Error]>([
    ['a wrong password', postgres, failure('password authentication failed', { code: '28P01' })],
    ['a refused role', postgres, failure('no pg_hba.conf entry', { code: '28000' })],
    ['a database that does not exist', postgres, failure('database "app" does not exist', { code: '3D000' })],
    ['a wrong password', mysql, failure('Access denied for user', { code: 'ER_ACCESS_DENIED_ERROR' })],
    ['a database that does not exist', mysql, failure("Unknown database 'app'", { code: 'ER_BAD_DB_ERROR' })],
    ['a certificate that is not trusted', postgres, failure('self-signed', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })],
    ['a missing certificate file', postgres, failure('ENOENT: ca.pem', { code: 'ENOENT', syscall: 'open' })],
    ['a file', { type: 'better-sqlite3', database: 'x' }, failure('unable to open', { code: 'SQLITE_CANTOPEN' })],
  ])('A11: does not try again because of %s on %j', async (_what, options, error) => {
    const connector = new FailingConnector([error]);
    const boot = start(connector, options);
    await endOfTurn();
    expect(boot.ended).toBeInstanceOf(UnusableDatabaseError);
    expect((boot.ended as UnusableDatabaseError).message).toContain(error.message);
    expect([connector.tries, clock.timers, warnings]).toEqual([1, 0, []]);
  });

  it.each([
    ['', postgres, 'postgres at db.example:5433'],
    [
      ' also with a slash in the password',
      { type: 'postgres', url: 'postgres://user:cr/et@db.example/app' },
      'postgres',
    ],
  ] as const)(
    'A11: does not try again without the driver, and says how a bundle gets it%s',
    async (_what, options, place) => {
      const connector = new FailingConnector([new DriverPackageNotInstalledError('Postgres', 'pg')]);
      const boot = start(connector, options);
      await endOfTurn();
      const missing = 'Postgres package has not been found installed. Please run "npm install pg"';
      expect(boot.ended).toEqual(
        new UnusableDatabaseError(`can't open its database (${place}): ${missing}`, {
          cure: 'In a bundle, import the driver and give it as driver of the option database',
        }),
      );
      expect([connector.tries, clock.timers, warnings]).toEqual([1, 0, []]);
    },
  );
});

describe('A11: a URL whose password has characters that end the host', () => {
  it.each(['se@cr/et', 'se@cr?et', 'se@cr#et', 'cr/et'])('A11: %s is in no log and no error', async (password) => {
    const warnings: string[] = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(String(message)));
    const clock = new TestClock(Date.now());
    const unknown = failure('getaddrinfo ENOTFOUND cr', { code: 'ENOTFOUND' });
    const connector = new FailingConnector([unknown, failure('Invalid URL: cr')]);
    const options: SessionDatabaseOptions = { type: 'postgres', url: `postgres://user:${password}@db.example/app` };
    const ended = connectAtBoot(options, { clock, connector, connectAttempts: 2 }).catch((error: unknown) => error);
    await endOfTurn();
    clock.advance(3_000);
    expect(await ended).toEqual(
      new UnusableDatabaseError("can't open its database (postgres): the driver can't use its URL", {
        cure:
          'Check that the database is running and that the option database is right. In its URL, encode the special ' +
          'characters of the user and the password with encodeURIComponent()',
      }),
    );
    expect(await ended).toHaveProperty('cause', undefined);
    expect(warnings).toEqual([
      "The library can't open its database (postgres): ENOTFOUND. That was try 1 of 2. The next try is in 3 seconds.",
    ]);
    jest.restoreAllMocks();
  });
});

describe('the place of a database, in the log', () => {
  it.each<[string, object, string]>([
    ['an URL', { url: 'postgres://user:secret@db.example:5433/app' }, 'postgres at db.example:5433'],
    ['an URL without port', { url: 'postgres://user:secret@db.example/app?ssl=true' }, 'postgres at db.example'],
    ['an @ in the password', { url: 'postgres://user:se@cret@db.example:1/app' }, 'postgres at db.example:1'],
    ['an IPv6 address', { url: 'postgres://user:secret@[::1]:5432/app' }, 'postgres at [::1]:5432'],
    ['no user', { url: 'postgres://db.example' }, 'postgres at db.example'],
    // a program that takes the password's slash for the end of the host would show a part of the password
    ['a slash in the password', { url: 'postgres://user:12/secret@db.example/app' }, 'postgres'],
    ['a hash in the password', { url: 'postgres://user:12#secret@db.example/app' }, 'postgres'],
    ['a question mark in the password', { url: 'postgres://user:12?secret@db.example/app' }, 'postgres'],
    ['no host', { url: 'postgres://user:secret' }, 'postgres'],
    ['no host, but a path', { url: 'postgres://user:secret/app' }, 'postgres'],
    ['a Unix socket', { url: 'postgres:///app?host=/run/postgresql' }, 'postgres'],
    ['no URL', { url: 'nonsense' }, 'postgres'],
    ['a host and a port', { host: 'db.example', port: 5433, password: 'secret' }, 'postgres at db.example:5433'],
    ['a host', { host: 'db.example' }, 'postgres at db.example'],
    ['nothing', { password: 'secret' }, 'postgres'],
    [
      'a primary',
      { replication: { master: { host: 'primary', password: 'secret' }, slaves: [] } },
      'postgres at primary',
    ],
  ])('A11: is taken from options with %s', (_what, options, place) => {
    expect(placeOf({ type: 'postgres', ...options })).toBe(place);
  });

  it('A11: is only its kind for SQLite', () => {
    expect(placeOf({ type: 'better-sqlite3', database: '/home/alice/x.sqlite' })).toBe('better-sqlite3');
  });
});
