import { type JWK } from 'jose';

/** A client registered with the provider. */
export interface OneIdTestClient {
  clientId: string;
  /** A client without a secret must use PKCE. */
  clientSecret?: string;
  /** The public key, with its `alg`, of a client that authenticates by `private_key_jwt`. */
  assertionKey?: JWK;
  /** The only method by which the client may authenticate; by default, any method that fits its secret or key. */
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';
  redirectUris?: readonly string[];
  postLogoutRedirectUris?: readonly string[];
  backchannelLogoutUri?: string;
  frontchannelLogoutUri?: string;
}
