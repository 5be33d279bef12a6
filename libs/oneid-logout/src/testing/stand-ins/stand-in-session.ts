import { randomBytes, randomUUID } from 'node:crypto';
import { type Session } from '../../rule/session.js';

/**
 * The facts of a session as the guard gives them to a handler, for unit tests. The user is `alice`, who has signed in
 * now, and the session lasts an hour. No database has it.
 *
 * @param facts replace the facts of this session
 * @example
 * ```ts
 * import { standInSession } from 'nestjs-oneid-logout/testing';
 *
 * export const session = standInSession({ sub: 'bob' });
 * ```
 */
export function standInSession(facts: Partial<Session> = {}): Session {
  const now = Date.now();
  return {
    id: randomBytes(32).toString('hex'),
    issuer: 'https://oneid.example/',
    clientId: 'app',
    sid: randomUUID(),
    sub: 'alice',
    iat: Math.floor(now / 1000),
    registeredAt: now,
    expiresAt: now + 3_600_000,
    ...facts,
  };
}
