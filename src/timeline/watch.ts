import { Logger } from '@nestjs/common';

/** Runs code that only watches. Its error is logged: it ends no process and changes no answer. */
export function watch(act: () => void): void {
  try {
    act();
  } catch (error) {
    new Logger('Timeline').warn(`An entry is missing: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}
