import type * as OpenTelemetryApi from '@opentelemetry/api';
import { Logger } from '../logger.js';
import { reasonOf } from '../oneid-logout.errors.js';

/** The optional peer `@opentelemetry/api`. */
export type OpenTelemetry = typeof OpenTelemetryApi;

/**
 * The codes of an import that found no package; and of Jest without the flag for ES modules, where no import can work.
 */
const ABSENT = new Set([
  ...['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'],
  ...['ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING', 'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG'],
]);

/** @returns undefined when the app has not installed the package, or the package can't be loaded, which the log says */
export async function loadOpenTelemetry(): Promise<OpenTelemetry | undefined> {
  try {
    // `import()` inside `try`: bundlers then accept that the package is missing
    return await import('@opentelemetry/api');
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'string' || !ABSENT.has(code)) {
      new Logger('OneIdLogout').warn(`No metrics and traces, because @opentelemetry/api failed: ${reasonOf(error)}`);
    }
    return undefined;
  }
}
