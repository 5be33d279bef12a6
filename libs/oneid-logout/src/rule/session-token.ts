import { hash } from 'node:crypto';

/** 256 bits as lower-case hex digits: the format of session tokens and of their hashes. */
const FORMAT = /^[0-9a-f]{64}$/;

/** Has this text the format of a session token? A request can carry any text: only such a token is hashed. */
export function isSessionToken(text: string): boolean {
  return isHexOf256Bits(text);
}

/** Has this text the format of such a hash? A caller can pass any text: only such a hash reaches the database. */
export function isTokenHash(text: string): boolean {
  return isHexOf256Bits(text);
}

/** A JavaScript caller may pass a list of one text, and `FORMAT` would test this text. */
function isHexOf256Bits(text: unknown): boolean {
  return typeof text === 'string' && FORMAT.test(text);
}

/**
 * Lower-case hex SHA-256 of a session token. The database stores this hash in place of the token: the token carries 256
 * random bits, so its hash needs no salt.
 */
export function tokenHashOf(sessionToken: string): string {
  return hash('sha256', sessionToken, 'hex');
}
