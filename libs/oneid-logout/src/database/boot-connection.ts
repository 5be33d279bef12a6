import { DriverPackageNotInstalledError } from 'typeorm';
import { type Clock } from '../clock.js';
import { Logger } from '../logger.js';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type SessionDatabaseOptions } from './data-source-options.js';
import { type DatabaseConnection, type DatabaseConnector } from './database-connector.js';
import { driverErrorOf, messageOf } from './driver-errors.js';
import { retryWhileLocked } from './retry-while-locked.js';
import { sqlDialects } from './sql-dialect.js';
import { driverErrorFor } from './sqlite-driver.js';

/** Between two tries of a boot to connect, milliseconds: as @nestjs/typeorm does. */
const CONNECT_PAUSE = 3_000;

/** The signals by which an orchestrator or a developer stops a process. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * The host and the port in a URL. It matches no URL whose port is no number, or that has an `@` after the port: they could
 * be a part of a password.
 */
const PLACE_IN_URL = /^[^:/]+:\/\/(?:[^/?#]*@)?((?:\[[^\]]*\]|[^/?#@:]+)(?::\d+)?)(?:[/?#][^@]*)?$/;

/** A driver takes a part of such a password for the host, and names the host in its error. */
const SPECIAL_IN_PASSWORD = /^[^:/]+:\/\/[^/?#]*[/?#].*@/s;

export interface BootConnectionSeam {
  readonly clock: Clock;
  readonly connector: DatabaseConnector;
  /** How often to try while the database is down; by default once. */
  readonly connectAttempts?: number;
}

/**
 * Connects to the database. It tries again while the server is down, unreachable or not ready, by the code of the
 * driver's error: another try would not help with a wrong password, or with a database that does not exist.
 *
 * A signal that stops the process also ends the boot here, because the app has no shutdown hooks yet.
 *
 * @throws {UnusableDatabaseError} when it can't connect, or a signal stops the process
 */
export async function connectAtBoot(
  options: SessionDatabaseOptions,
  seam: BootConnectionSeam,
): Promise<DatabaseConnection> {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => stop.abort(new Stopped(signal));
  // without a listener, Node would ignore the signal as the first process of a container
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  const ignoreSignals = () => {
    for (const signal of STOP_SIGNALS) process.removeListener(signal, onSignal);
  };
  try {
    return await connectRepeatedly(options, seam, stop.signal);
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    ignoreSignals();
    // Node ends a process at once if nothing listens to the signal; only the first process of a container goes on
    if (process.listenerCount(error.signal) === 0) process.kill(process.pid, error.signal);
    throw new UnusableDatabaseError(`did not open its database (${placeOf(options)}), because ${error.message}`);
  } finally {
    ignoreSignals();
  }
}

/** @throws {Stopped} when the signal comes while it connects; a connection that comes later is closed */
async function connectRepeatedly(
  options: SessionDatabaseOptions,
  { clock, connector, connectAttempts = 1 }: BootConnectionSeam,
  stop: AbortSignal,
): Promise<DatabaseConnection> {
  const dialect = sqlDialects[options.type];
  for (let attempt = 1; ; attempt++) {
    try {
      return await unlessStopped(
        retryWhileLocked(dialect, clock, () => connector.connect(options, clock)),
        stop,
      );
    } catch (error) {
      if (error instanceof Stopped) throw error;
      const mayPass = dialect.isConnectionError(driverErrorOf(error)) && attempt < connectAttempts;
      if (!mayPass) throw openingError(options, error);
      new Logger('OneIdLogout').warn(
        `The library can't open its database (${placeOf(options)}): ${reasonFor(options, error)}. That was try ${attempt} of ` +
          `${connectAttempts}. The next try is in ${CONNECT_PAUSE / 1000} seconds.`,
      );
      await clock.delay(CONNECT_PAUSE, stop);
      if (stop.aborted) throw openingError(options, error);
    }
  }
}

/** A signal has stopped the process while it connected. */
class Stopped extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`${signal} stopped the process`);
  }
}

/** Waits for the connection, at most until the signal comes. */
async function unlessStopped(connecting: Promise<DatabaseConnection>, stop: AbortSignal): Promise<DatabaseConnection> {
  let stopWaiting: () => void = () => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    stopWaiting = () => reject(stop.reason as Stopped);
  });
  stop.addEventListener('abort', stopWaiting, { once: true });
  try {
    return await Promise.race([connecting, stopped]);
  } catch (error) {
    // the driver can't give up a try, so it may connect when the boot has ended
    if (stop.aborted) void connecting.then((connection) => connection.destroy()).catch(() => undefined);
    throw error;
  } finally {
    stop.removeEventListener('abort', stopWaiting);
  }
}

/** @returns the kind of database, with its host and port if the options name them, and never with the password */
export function placeOf(options: SessionDatabaseOptions): string {
  if (options.type === 'better-sqlite3') return options.type;
  const { url, host, port } = options.replication?.master ?? options;
  const place = url === undefined ? [host ?? [], port ?? []].flat().join(':') : PLACE_IN_URL.exec(url)?.[1];
  return place === undefined || place === '' ? options.type : `${options.type} at ${place}`;
}

function openingError(options: SessionDatabaseOptions, cause: unknown): UnusableDatabaseError {
  const fault = `can't open its database (${placeOf(options)}): ${reasonFor(options, cause).replace(/\.$/, '')}`;
  if (options.type === 'better-sqlite3') {
    const cure = 'Check that the option database names a file that this process may write';
    return driverErrorFor(cause) ?? new UnusableDatabaseError(fault, { cure, cause });
  }
  if (cause instanceof DriverPackageNotInstalledError) {
    const cure = 'In a bundle, import the driver and give it as driver of the option database';
    return new UnusableDatabaseError(fault, { cure, cause });
  }
  const cure = 'Check that the database is running and that the option database is right';
  if (!hasSpecialInPassword(options)) return new UnusableDatabaseError(fault, { cure, cause });
  const encode = 'In its URL, encode the special characters of the user and the password with encodeURIComponent()';
  return new UnusableDatabaseError(fault, { cure: `${cure}. ${encode}` });
}

/** The driver's message; its code alone when the message may show a part of the password. */
function reasonFor(options: SessionDatabaseOptions, error: unknown): string {
  if (!hasSpecialInPassword(options) || error instanceof DriverPackageNotInstalledError) return messageOf(error);
  const { code } = driverErrorOf(error) as { readonly code?: unknown };
  return typeof code === 'string' ? code : "the driver can't use its URL";
}

function hasSpecialInPassword(options: SessionDatabaseOptions): boolean {
  if (options.type === 'better-sqlite3') return false;
  const { url } = options.replication?.master ?? options;
  return url !== undefined && SPECIAL_IN_PASSWORD.test(url);
}
