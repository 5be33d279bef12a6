import { randomBytes } from 'node:crypto';
import { endpointPaths, type HydraVersion, type SigningKey } from 'nestjs-oneid-logout/testing';
import type { AdapterFactory, ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { EmbeddedAccount, EmbeddedClient } from './embedded-client.js';
import { answer, visitorOf } from './page.js';
import { errorPage } from './pages.js';

const HOUR = 3600;
const SCOPES = ['openid', 'offline', 'profile'];

/** The `aud` of every access token of this OneID. */
export function apiAudience(issuer: string): string {
  return `${issuer}api`;
}

export interface ProviderSetup {
  issuer: string;
  hydra: HydraVersion | undefined;
  clients: EmbeddedClient[];
  account: EmbeddedAccount;
  key: SigningKey;
  adapter: AdapterFactory;
}

/** Configures oidc-provider with Hydra's paths, scopes, lifetimes and tokens. */
export function providerConfiguration({ issuer, hydra, clients, account, key, adapter }: ProviderSetup): Configuration {
  const audience = apiAudience(issuer);
  const sub = account.sub ?? account.username;

  return {
    adapter,
    clients: clients.map(clientMetadata),
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), ...key.publicJwk }] },
    scopes: SCOPES,
    claims: { openid: ['sub', 'auth_time'], profile: ['name'] },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    routes: {
      authorization: endpointPaths.authorization,
      token: endpointPaths.token,
      revocation: endpointPaths.revocation,
      end_session: endpointPaths.endSession,
      jwks: endpointPaths.jwks,
      userinfo: endpointPaths.userinfo,
    },
    discovery: { frontchannel_logout_supported: true, frontchannel_logout_session_supported: true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
      userinfo: { enabled: true },
      revocation: {
        enabled: true,
        // For a rotated-out refresh token, Hydra answers 200 but revokes no token.
        allowedPolicy: (_ctx, client, token) =>
          token.clientId === client.clientId && !('consumed' in token && token.consumed),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ audience, scope: SCOPES.join(' '), accessTokenFormat: 'jwt' }),
      },
    },
    interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
    findAccount: (_ctx, id) =>
      id === sub ? { accountId: sub, claims: () => ({ sub, ...(account.name && { name: account.name }) }) } : undefined,
    loadExistingGrant: (ctx) => grantEverything(ctx, audience),
    issueRefreshToken: (_ctx, _client, code) => code.scopes.has('offline'),
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    // Hydra v1.11 writes the claim, but has no value for it
    extraTokenClaims: (_ctx, token) =>
      'sid' in token && token.sid ? { sid: hydra === '1.11' ? null : token.sid } : undefined,
    clientBasedCORS: () => false,
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      names: { session: 'oneid_session', interaction: 'oneid_login', resume: 'oneid_resume' },
    },
    renderError: (ctx, { error, error_description }) => {
      answer(ctx, errorPage(visitorOf(ctx), error, error_description));
    },
    ttl: {
      AccessToken: HOUR,
      AuthorizationCode: HOUR / 6,
      Grant: 720 * HOUR,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 720 * HOUR,
      Session: 720 * HOUR,
    },
  };
}

/** The app's metadata for oidc-provider (OpenID Connect Dynamic Client Registration 1.0, section 2). */
export function clientMetadata(client: EmbeddedClient): ClientMetadata {
  return {
    client_id: client.clientId,
    ...(client.clientSecret && { client_secret: client.clientSecret }),
    token_endpoint_auth_method: client.clientSecret ? 'client_secret_basic' : 'none',
    redirect_uris: client.redirectUris,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
  };
}

/**
 * Grants all scopes without a consent page, because the apps are OneID's own. Each sign-in gets its own grant, so a
 * revocation ends only one sign-in.
 */
async function grantEverything(ctx: KoaContextWithOIDC, audience: string) {
  const { account, client, provider, session } = ctx.oidc;
  if (!account || !client || !session) {
    return undefined;
  }
  session.sidFor(client.clientId, session.uid);
  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  grant.addOIDCScope(SCOPES.join(' '));
  grant.addResourceScope(audience, SCOPES.join(' '));
  await grant.save();
  return grant;
}
