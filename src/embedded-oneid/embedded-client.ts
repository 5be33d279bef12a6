/** An app as it is registered with OneID. */
export interface EmbeddedClient {
  clientId: string;
  /** What people know it as; the client id when absent. */
  name?: string;
  /** Its first page (`client_uri`). */
  uri?: string;
  /** Absent for a public client, which has PKCE alone. */
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
