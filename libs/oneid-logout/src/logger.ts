import { Logger as NestLogger, type LoggerService } from '@nestjs/common';
import { letWatch } from './watching.js';

/**
 * Logs with the logger that the app has given to Nest. A logger that throws, or whose promise rejects, loses the entry:
 * it changes no answer and does not end the process. All code of the library logs with this class.
 */
export class Logger extends NestLogger {
  override get localInstance(): LoggerService {
    // undefined when the app has switched the log off
    const host = super.localInstance as LoggerService | undefined;
    const to =
      (level: 'log' | 'warn' | 'error' | 'debug' | 'verbose' | 'fatal') =>
      (message: unknown, ...details: unknown[]) => {
        letWatch(() => host?.[level]?.(message, ...details) as unknown);
      };
    const entries = { log: to('log'), warn: to('warn'), error: to('error') };
    return { ...entries, debug: to('debug'), verbose: to('verbose'), fatal: to('fatal') };
  }
}
