/** Hydra's paths, relative to the issuer. */
export const endpointPaths = {
  /** OpenID Connect Discovery 1.0 §4. */
  discovery: '/.well-known/openid-configuration',
  /** The signing keys: `jwks_uri`. */
  jwks: '/.well-known/jwks.json',
  /** A sign-in begins here: `authorization_endpoint`. */
  authorization: '/oauth2/auth',
  /** Gives the tokens: `token_endpoint`. */
  token: '/oauth2/token',
  /** RFC 7009: `revocation_endpoint`. */
  revocation: '/oauth2/revoke',
  /** RP-Initiated Logout 1.0 §2: `end_session_endpoint`. */
  endSession: '/oauth2/sessions/logout',
  /** OpenID Connect Core 1.0 §5.3: `userinfo_endpoint`. */
  userinfo: '/userinfo',
  /** The page after a logout without `post_logout_redirect_uri`. */
  loggedOut: '/oauth2/fallbacks/logout/callback',
} as const;

/** A path of the provider relative to its issuer; other strings are allowed. */
export type EndpointPath = (typeof endpointPaths)[keyof typeof endpointPaths] | (string & {});
