import { type JWK } from 'jose';

/** A client registered with the provider. */
export interface OneIdTestClient {
  clientId: string;
  /** A client without one is public: it has to use PKCE. */
  clientSecret?: string;
  /** The public key, with its `alg`, of a client that authenticates by `private_key_jwt`. */
  assertionKey?: JWK;
  /** The one way the client may authenticate; any that fits its secret or key by default. */
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';
  redirectUris?: readonly string[];
  postLogoutRedirectUris?: readonly string[];
  backchannelLogoutUri?: string;
  frontchannelLogoutUri?: string;
}
