/** Longest identifier that the database stores, characters. OpenID Connect Core 1.0 §2 limits `sub` to 255. */
export const MAX_IDENTIFIER_LENGTH = 255;

/** Is this a `sub`, a `sid` or another identifier that a logout may name? */
export function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_IDENTIFIER_LENGTH;
}

/**
 * Is this an identifier that every database stores unchanged? PostgreSQL stores no NUL, and no database stores a lone
 * surrogate. A logout needs no such check: the library stores only the hash of its identifiers.
 */
export function isStorableIdentifier(value: unknown): value is string {
  return isIdentifier(value) && !value.includes('\0') && !/\p{Surrogate}/u.test(value);
}
