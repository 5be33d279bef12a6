/**
 * An issuer by which to find a provider again: its one trailing slash is dropped, as OneID's has come and gone between
 * versions. What a token's `iss` must equal, slash and all, is `OneIdProvider.isIssuer`.
 */
export function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '');
}
