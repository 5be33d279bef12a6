import { InvalidOptionsError, UnusableDatabaseError } from 'nestjs-oneid-logout';
import { SettingsError } from './settings.js';

/** How long a command may take to close what it has opened, milliseconds. */
const CLOSING_TIME = 10_000;

/** `running`: the command has started servers that go on, and close themselves at a signal. */
export type Outcome = 'done' | 'failed' | 'running';

/** An error whose message is all that the user of a command has to read. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** What a command has opened, to be closed when the command ends or fails. */
export class Opened {
  private readonly closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.closers.push(close);
  }

  /** Closes the newest first. One that can't be closed does not keep the others open. */
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
 * Runs one of this repository's commands. When the command fails, it prints why, closes what it has opened, and ends the
 * process with exit code 1: a server that listens already would keep the process from ending.
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

/** Has the listeners of the event `exit` run at a signal, too; Node's own answer to a signal leaves them out. */
export function exitAtSignals(): void {
  const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
  for (const [signal, code] of Object.entries(codes)) process.once(signal, () => process.exit(code));
}

/** The reader of a pipe may end first: `npm run demo | head -1`. */
function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) stream.once('error', () => process.exit(1));
}

/** @returns what to tell the user of a command about an error that the user can mend, or undefined for a fault of ours */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UnusableDatabaseError) {
    // what the library says to do is for an app of its own
    if (error.code === 'sqlite_driver_unusable') return `${error.fault}. Run: npm ci`;
    return `${error.message}. This app takes its database from DATABASE_URL`;
  }
  // of TypeORM, where the library has not opened the database
  if (error.name === 'DriverPackageNotInstalledError') return 'better-sqlite3 is not installed. Run: npm ci';
  if ([CommandError, SettingsError, InvalidOptionsError].some((type) => error instanceof type)) return error.message;
  return reasonOfSystem(error);
}

/** What the machine refuses: a port, a folder, a package. */
function reasonOfSystem({ message, code, syscall, port }: SystemError): string | undefined {
  if (code === 'EADDRINUSE') return `Port ${String(port)} is taken. Try another: PORT=4000 npm start`;
  if (code === 'EACCES' && syscall === 'listen') {
    return `This user may not listen on port ${String(port)}. Try another: PORT=4000 npm start`;
  }
  if (code === 'ERR_MODULE_NOT_FOUND') return `${message}. Run: npm ci`;
  return syscall === undefined ? undefined : message;
}

interface SystemError extends NodeJS.ErrnoException {
  readonly port?: number;
}
