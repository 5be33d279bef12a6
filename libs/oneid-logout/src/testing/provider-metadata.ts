import { endpointPaths } from './endpoint-paths.js';
import { type ProviderState } from './provider-state.js';

/**
 * The discovery document as Hydra writes it.
 *
 * @see {@link https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata OpenID Connect Discovery 1.0 §3}
 */
export function discoveryDocument({ issuer, keys, metadata }: ProviderState): Record<string, unknown> {
  const base = issuer.replace(/\/$/, '');
  return {
    issuer,
    authorization_endpoint: base + endpointPaths.authorization,
    token_endpoint: base + endpointPaths.token,
    jwks_uri: base + endpointPaths.jwks,
    revocation_endpoint: base + endpointPaths.revocation,
    end_session_endpoint: base + endpointPaths.endSession,
    userinfo_endpoint: base + endpointPaths.userinfo,
    subject_types_supported: ['public'],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    scopes_supported: ['offline_access', 'offline', 'openid'],
    claims_supported: ['sub'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'none'],
    id_token_signing_alg_values_supported: [keys.current.alg],
    code_challenge_methods_supported: ['S256'],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    frontchannel_logout_supported: true,
    frontchannel_logout_session_supported: true,
    ...metadata,
  };
}
