import { createHash } from 'node:crypto';
import { type SessionFacts } from 'nestjs-oneid-logout';

/** Names a session to a page. The id itself is a secret of the browser whose session it is. */
export function handleOf({ id = '' }: SessionFacts): string {
  return createHash('sha256').update(`handle of ${id}`).digest('hex').slice(0, 24);
}
