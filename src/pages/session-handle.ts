import { createHash } from 'node:crypto';
import { type SessionFacts } from 'nestjs-oneid-logout';

/** A name for a session that a page may show. The id itself is a secret of the session's browser. */
export function handleOf({ id = '' }: SessionFacts): string {
  return createHash('sha256').update(`handle of ${id}`).digest('hex').slice(0, 24);
}
