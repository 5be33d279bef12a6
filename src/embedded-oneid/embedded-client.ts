/** An app as it is registered with OneID. */
export interface EmbeddedClient {
  clientId: string;
  /** Absent for a public client, which has PKCE alone. */
  clientSecret?: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  backchannelLogoutUri?: string;
  frontchannelLogoutUri?: string;
}

export interface EmbeddedAccount {
  username: string;
  password: string;
  /** The `sub` claim; the username when absent. */
  sub?: string;
  /** The `name` claim, for the scope `profile`. */
  name?: string;
}
