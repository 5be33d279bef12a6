import { QueryFailedError } from 'typeorm';
import { StoreUnavailableError } from '../oneid-logout.errors.js';

/** The driver's own error inside TypeORM's; an empty object when the driver threw no object. */
export function driverErrorOf(error: unknown): object {
  const driverError: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return typeof driverError === 'object' && driverError !== null ? driverError : {};
}

/** The message for a log or for the error of a failed boot. */
export function messageOf(error: unknown): string {
  if (error instanceof StoreUnavailableError) return messageOf(error.cause);
  // Node tried several addresses of the host, and each failed with its own error
  if (error instanceof AggregateError) return [...new Set(error.errors.map(messageOf))].join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Keeps the driver's message and code, without the statement and its parameters: they hold users and tokens. */
export function withoutParameters(error: unknown): unknown {
  const { message, code } = driverErrorOf(error) as { readonly message?: unknown; readonly code?: unknown };
  if (typeof message !== 'string' || message === '' || code === undefined) return error;
  return Object.assign(new Error(message), { code });
}
