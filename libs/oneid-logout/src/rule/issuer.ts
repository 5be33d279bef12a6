/**
 * The issuer as a key for finding its provider. One trailing slash is dropped, because OneID's slash has changed
 * between versions. The validation of a token's `iss` compares the slash too: see `OneIdProvider.isIssuer`.
 */
export function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '');
}

/** The `iss` that tokens of this issuer may have: without the trailing slash, and with it. */
export function spellingsOf(issuer: string): readonly [string, string] {
  const plain = withoutSlash(issuer);
  return [plain, `${plain}/`];
}
