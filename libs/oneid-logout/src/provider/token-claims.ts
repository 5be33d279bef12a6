/**
 * The members of a token or of metadata without those that are written as null or `""`: some providers write absent
 * members in this way.
 */
export function presentClaims(claims: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null && value !== ''));
}

/** Is this a valid `session_expiry` (OpenID Connect Enterprise Extensions 1.0): a JSON integer, seconds since 1970? */
export function isSessionExpiry(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The most values, and the most characters of a value, that a message shows. */
const MOST_VALUES = 5;
const MOST_CHARACTERS = 100;

/**
 * A foreign value for a message: short, in quotes, and without characters that could forge a line of the log. Not for a
 * `sid`, a `sub` or a secret.
 *
 * @param value a text, or a list of texts; of any other value, only the type is shown
 */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) return 'an empty list';
  const more = values.length > MOST_VALUES ? ` and ${values.length - MOST_VALUES} more` : '';
  return values.slice(0, MOST_VALUES).map(shownOne).join(', ') + more;
}

function shownOne(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : `a value of type ${typeof value}`;
  const clean = value.slice(0, MOST_CHARACTERS).replace(/[^\x20-\x7e]|['"\\]/g, '?');
  return `'${clean}${value.length > MOST_CHARACTERS ? '...' : ''}'`;
}

/** Why the audience of a token is refused: what came, what is expected, and which option changes it. */
export function audienceFault(clients: readonly { readonly clientId: string }[], aud: unknown): string {
  const expected = clients.map(({ clientId }) => clientId);
  return `aud is ${shown(aud)}, expected ${shown(expected)}, and beside it only the client's trustedAudiences`;
}

/**
 * Why the encryption of a token is refused.
 *
 * @param encrypted whether the token is encrypted
 * @param expected what the client's option requires
 */
export function encryptionFault(
  encrypted: boolean,
  expected: { readonly alg: string; readonly enc: string } | undefined,
  option: 'idTokenEncryption' | 'logoutTokenEncryption',
): string {
  const came = encrypted ? 'one of another client' : 'none';
  const how = expected === undefined ? 'none' : `${expected.alg} with ${expected.enc}`;
  return `it has ${came}, the client's ${option} expects ${how}`;
}

/** What to do about a signature that the client's secret does not verify; empty for other algorithms. */
export function secretHint(alg: string): string {
  if (!alg.startsWith('HS')) return '';
  return (
    `: with ${alg}, clientAuthentication.clientSecret must be the key. Keycloak uses a key that no client gets: have it ` +
    'sign with RS256'
  );
}
