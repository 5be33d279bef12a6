import { type JWK } from 'jose';

/** A client registered with the provider. */
export interface OneIdTestClient {
  /** `client_id`. */
  clientId: string;
  /** A client without a secret must use PKCE. */
  clientSecret?: string;
  /** The public key, with its `alg`, of a client that authenticates by `private_key_jwt`. */
  assertionKey?: JWK;
  /** The only method by which the client may authenticate; by default, any method that fits its secret or key. */
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';
  /** `redirect_uris`: where the browser may return from a sign-in. */
  redirectUris?: readonly string[];
  /** `post_logout_redirect_uris`: where the browser may return from a logout (RP-Initiated Logout 1.0 §3.1). */
  postLogoutRedirectUris?: readonly string[];
  /** `backchannel_logout_uri`: OneID posts logout tokens to it (Back-Channel Logout 1.0 §2.2). */
  backchannelLogoutUri?: string;
  /** `frontchannel_logout_uri`: OneID's page loads it in an iframe (Front-Channel Logout 1.0 §2). */
  frontchannelLogoutUri?: string;
}
