import { InvalidLogoutRequestError } from '../oneid-logout.errors.js';
import { MAX_IDENTIFIER_LENGTH } from '../rule/identifier.js';
import { type LogoutAuthor } from '../rule/logout.js';

/**
 * Checks who ended the sessions, and why, before anything is stored. It drops all other properties.
 *
 * @throws {InvalidLogoutRequestError} 400 `author_invalid`. The message does not repeat the value
 */
export function checkedAuthor(author: LogoutAuthor | undefined): LogoutAuthor | undefined {
  if (author === undefined) return undefined;
  // a JavaScript caller may pass unchecked values of a request
  if (typeof (author as unknown) !== 'object' || (author as unknown) === null) {
    throw new InvalidLogoutRequestError('author_invalid', '{ by, reason } must be an object');
  }
  const { by, reason } = author;
  for (const [name, value] of Object.entries({ by, reason })) {
    if (value !== undefined && !isText(value)) {
      throw new InvalidLogoutRequestError(
        'author_invalid',
        `${name} must be a text of 1 to ${MAX_IDENTIFIER_LENGTH} characters without control characters`,
      );
    }
  }
  if (by === undefined && reason === undefined) return undefined;
  return { ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
}

/** Control characters could forge lines of the app's audit log. No database stores a lone surrogate. */
function isText(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || /[\p{Control}\p{Surrogate}]/u.test(value)) return false;
  // counted as a label's characters are
  return Array.from(value).length <= MAX_IDENTIFIER_LENGTH;
}
