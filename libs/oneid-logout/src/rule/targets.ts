import { hash } from 'node:crypto';
import { withoutSlash } from './issuer.js';

/**
 * The kind of target that names one user's sessions: one of our sessions, a browser login at the provider (`sid`), a
 * user (`sub`), or a user's sessions without `sid`.
 */
export type OwnTargetKind = 'session' | 'sid' | 'sidless' | 'sub';

/** The kind of target that names the sessions of everyone: at an issuer, or of one client there. */
export type EveryoneTargetKind = 'issuer' | 'client';

/** The kind of target that a logout names. */
export type TargetKind = OwnTargetKind | EveryoneTargetKind;

/**
 * The key that connects logouts with sessions: lower-case hex SHA-256 of the JSON array `[kind, issuer, value]`. Equal
 * values of different kinds or issuers get different keys.
 */
export function targetOf(kind: TargetKind, issuer: string, value: string): string {
  return digest([kind, withoutSlash(issuer), value]);
}

/** The target of everyone's sessions at an issuer, or of one client there. */
export function everyoneTargetOf(
  issuer: string,
  clientId?: string,
): { readonly kind: EveryoneTargetKind; readonly target: string } {
  if (clientId === undefined) return { kind: 'issuer', target: targetOf('issuer', issuer, '') };
  return { kind: 'client', target: targetOf('client', issuer, clientId) };
}

/** The targets of everyone to which a session of this client belongs. */
export function everyoneTargetsOf(issuer: string, clientId: string | undefined): string[] {
  const { target } = everyoneTargetOf(issuer);
  return clientId === undefined ? [target] : [target, everyoneTargetOf(issuer, clientId).target];
}

/** Lower-case hex SHA-256 of a JSON array: unambiguous, of fixed length, and safe under any database collation. */
export function digest(parts: readonly (string | number | null)[]): string {
  return hash('sha256', JSON.stringify(parts), 'hex');
}
