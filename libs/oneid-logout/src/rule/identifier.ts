/** Longest identifier that the database stores, characters. OpenID Connect Core 1.0 §2 limits `sub` to 255. */
export const MAX_IDENTIFIER_LENGTH = 255;

/**
 * Is this a `sub`, a `sid` or another identifier that every database stores unchanged? PostgreSQL stores no NUL, and no
 * database stores a surrogate that stands alone.
 */
export function isIdentifier(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_IDENTIFIER_LENGTH) return false;
  return !value.includes('\0') && !/\p{Surrogate}/u.test(value);
}
