import { type Answer, json, oauthError } from './answer.js';
import { type ProviderState } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';

/** @see {@link https://openid.net/specs/openid-connect-core-1_0.html#UserInfo OpenID Connect Core 1.0 §5.3} */
export function userinfo({ grants }: ProviderState, { headers }: ReceivedRequest): Answer {
  const grant = grants.accessToken(headers.authorization?.replace(/^Bearer /i, '') ?? '');
  if (!grant || grant.revoked) {
    const answer = oauthError('invalid_token', 'The access token is not active.', 401);
    return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Bearer error="invalid_token"' } };
  }
  return json({ sub: grant.login.sub });
}
