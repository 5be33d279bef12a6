/** Hydra's paths, relative to the issuer. */
export const endpointPaths = {
  discovery: '/.well-known/openid-configuration',
  jwks: '/.well-known/jwks.json',
  authorization: '/oauth2/auth',
  token: '/oauth2/token',
  revocation: '/oauth2/revoke',
  endSession: '/oauth2/sessions/logout',
  userinfo: '/userinfo',
  /** The page after a logout without `post_logout_redirect_uri`. */
  loggedOut: '/oauth2/fallbacks/logout/callback',
} as const;

/** A path of the provider relative to its issuer; other strings are allowed. */
export type EndpointPath = (typeof endpointPaths)[keyof typeof endpointPaths] | (string & {});
