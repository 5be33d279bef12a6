/** An app as it is registered with OneID. */
export interface EmbeddedClient {
  clientId: string;
  /** The name that pages show; the client id when absent. */
  name?: string;
  /** URL of the app's first page (`client_uri`). */
  uri?: string;
  /** Absent for a public client, which uses PKCE only. */
  clientSecret?: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  backchannelLogoutUri?: string;
  frontchannelLogoutUri?: string;
}

/** By client id. */
export type EmbeddedClients = ReadonlyMap<string, EmbeddedClient>;

export interface EmbeddedAccount {
  username: string;
  password: string;
  /** The `sub` claim; the username when absent. */
  sub?: string;
  /** The `name` claim, for the scope `profile`. */
  name?: string;
}
