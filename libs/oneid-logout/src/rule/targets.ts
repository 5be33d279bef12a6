import { createHash } from 'node:crypto';
import { withoutSlash } from './issuer.js';

/** What a logout can be aimed at: one of our sessions, a login at the provider, or a user. */
export type TargetKind = 'session' | 'sid' | 'sub';

/**
 * The key by which logouts and sessions find each other: lower-case hex SHA-256 of the JSON array
 * `[kind, issuer, value]`. The kind and the issuer keep equal values of different meaning or origin apart.
 */
export function targetOf(kind: TargetKind, issuer: string, value: string): string {
  return digest([kind, withoutSlash(issuer), value]);
}

/** Lower-case hex SHA-256 of a JSON array: unambiguous, of fixed length, and safe under any database collation. */
export function digest(parts: readonly (string | number | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
