import { InvalidOptionsError, UnusableDatabaseError } from 'nestjs-oneid-logout';
import { SettingsError } from './settings.js';

/** Milliseconds that a command may take to close its resources; after that, the process exits with code 1. */
const CLOSING_TIME = 10_000;

/** `running`: the command has started servers. They keep running, and close themselves at a signal. */
export type Outcome = 'done' | 'failed' | 'running';

/** An error that a command reports by its message alone, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The resources of a command. `runCommand` closes them when the command ends or fails. */
export class Opened {
  private readonly closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.closers.push(close);
  }

  /** Closes the newest resource first. When one fails to close, prints the error and closes the others. */
  async closeAll(): Promise<void> {
    for (let close = this.closers.pop(); close !== undefined; close = this.closers.pop()) {
      try {
        await close();
      } catch (error) {
        console.error(reasonOf(error) ?? error);
      }
    }
  }
}

/**
 * Runs one of this repository's commands. When the command fails, prints the reason, closes the command's resources and
 * ends the process with exit code 1. The exit is explicit, because a listening server would keep the process alive.
 */
export async function runCommand(work: (opened: Opened) => Promise<Outcome>): Promise<void> {
  const opened = new Opened();
  endWithReader();
  try {
    const outcome = await work(opened);
    if (outcome === 'running') return;
    process.exitCode = outcome === 'done' ? 0 : 1;
  } catch (error) {
    console.error(reasonOf(error) ?? error);
    process.exitCode = 1;
  }
  setTimeout(() => process.exit(1), CLOSING_TIME).unref();
  await opened.closeAll();
  process.exit();
}

/** Runs the `exit` listeners at a signal too. By default, Node ends the process at a signal without running them. */
export function exitAtSignals(): void {
  const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
  for (const [signal, code] of Object.entries(codes)) process.once(signal, () => process.exit(code));
}

/** Ends the process when the reader of its output has ended, as in `npm run demo | head -1`. */
function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) stream.once('error', () => process.exit(1));
}

/** @returns the text for the user of a command, when the user can fix the error; undefined for a bug of ours */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UnusableDatabaseError) {
    // the library's advice is for the developer of another app; in this repository, `npm ci` helps
    if (error.code === 'sqlite_driver_unusable') return `${error.fault}. Run: npm ci`;
    return `${error.message}. This app takes its database from DATABASE_URL`;
  }
  // TypeORM throws this error when `ormconfig` opens the database without the library
  if (error.name === 'DriverPackageNotInstalledError') return 'better-sqlite3 is not installed. Run: npm ci';
  if ([CommandError, SettingsError, InvalidOptionsError].some((type) => error instanceof type)) return error.message;
  return reasonOfSystem(error);
}

/** The text for an error of the operating system (a port, a folder) or for a missing package. */
function reasonOfSystem({ message, code, syscall, port }: SystemError): string | undefined {
  if (code === 'EADDRINUSE') return `Port ${String(port)} is in use. Choose another port: PORT=4000 npm start`;
  if (code === 'EACCES' && syscall === 'listen') {
    return `The operating system does not let this user listen on port ${String(port)}. Choose another port: PORT=4000 npm start`;
  }
  if (code === 'ERR_MODULE_NOT_FOUND') return `${message}. Run: npm ci`;
  return syscall === undefined ? undefined : message;
}

interface SystemError extends NodeJS.ErrnoException {
  readonly port?: number;
}
