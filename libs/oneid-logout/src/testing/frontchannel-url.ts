/**
 * The URL that OneID puts into an iframe: the client's `frontchannel_logout_uri` with `iss` and `sid` in its query. As
 * in Hydra, other parameters of the URI stay, and the keys are sorted.
 *
 * @see {@link https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout Front-Channel Logout 1.0 §2}
 */
export function frontchannelUrl(uri: string, parameters: { iss: string; sid: string }): string {
  return withQuery(uri, parameters);
}

/** Sets query parameters the way Go's `url.Values` encode them: sorted by key. */
export function withQuery(uri: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  url.searchParams.sort();
  return url.href;
}
