import { hash } from 'node:crypto';
import { withoutSlash } from './issuer.js';

/**
 * The kind of target that a logout names: one of our sessions, a browser login at the provider (`sid`), a user (`sub`),
 * or a user's sessions without `sid`.
 */
export type TargetKind = 'session' | 'sid' | 'sidless' | 'sub';

/**
 * The key that connects logouts with sessions: lower-case hex SHA-256 of the JSON array `[kind, issuer, value]`. Equal
 * values of different kinds or issuers get different keys.
 */
export function targetOf(kind: TargetKind, issuer: string, value: string): string {
  return digest([kind, withoutSlash(issuer), value]);
}

/** Lower-case hex SHA-256 of a JSON array: unambiguous, of fixed length, and safe under any database collation. */
export function digest(parts: readonly (string | number | null)[]): string {
  return hash('sha256', JSON.stringify(parts), 'hex');
}
