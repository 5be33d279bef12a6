/**
 * The issuer as a key for finding its provider. One trailing slash is dropped, because OneID's slash has changed
 * between versions. The validation of a token's `iss` compares the slash too: see `OneIdProvider.isIssuer`.
 */
export function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '');
}
