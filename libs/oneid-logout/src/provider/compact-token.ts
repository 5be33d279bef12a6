const BASE64URL = /^[A-Za-z0-9_-]*$/;

/**
 * Is this the compact form of a JWS (3 parts, RFC 7515 §7.1) or of a JWE (5 parts, RFC 7516 §7.1)? Its parts are
 * base64url without padding (RFC 7515 §2). jose also decodes other characters, so one token would have many forms.
 */
export function isCompact(token: string, parts: 3 | 5): boolean {
  const found = token.split('.', parts + 1);
  return found.length === parts && found.every((part) => BASE64URL.test(part));
}
