import { type Answer, errorPage, redirect } from './answer.js';
import { type BrowserLogin } from './browser-logins.js';
import { type ProviderState, secondsOf } from './provider-state.js';
import { parametersOf, type ReceivedRequest } from './received-request.js';
import { type OneIdTestClient } from './test-client.js';
import { withQuery } from './with-query.js';

type Parameters = Readonly<Record<string, string>>;

/** Minimum length of `state` and `nonce`, in characters. Hydra refuses shorter ones. */
const leastEntropy = 8;

/**
 * Signs the user in at once, without a page, and redirects the browser to the client with a code. When the login ends
 * while the user is at the consent page, the sign-in stops here, or with Hydra v1.11 the login has no `sid`.
 *
 * @see {@link https://openid.net/specs/openid-connect-core-1_0.html#AuthorizationEndpoint OpenID Connect Core 1.0 §3.1.2}
 */
export async function authorize(state: ProviderState, request: ReceivedRequest): Promise<Answer> {
  const parameters = parametersOf(request);
  const client = state.clients.get(parameters.client_id ?? '');
  if (!client)
    return errorPage('invalid_client', 'The requested OAuth 2.0 Client does not exist. Give it to registerClient().');
  const { redirect_uri: redirectUri } = parameters;
  if (redirectUri === undefined || !client.redirectUris?.includes(redirectUri)) {
    return errorPage(
      'invalid_request',
      "The 'redirect_uri' is not one of the client's redirectUris. Add it with registerClient().",
    );
  }
  const goBack = (answer: Parameters) =>
    redirect(withQuery(redirectUri, { ...answer, ...(parameters.state && { state: parameters.state }) }));

  const refusal = refusalOf(parameters, client);
  if (refusal) return goBack({ error: refusal[0], error_description: refusal[1] });
  const current = loginFor(state, parameters);
  if (!current) return goBack({ error: 'login_required', error_description: 'The user is not signed in.' });
  const login = await consent(state, current);
  if (!login) return errorPage('access_denied', 'The login has ended while the user was at the consent page.');

  const scope = (parameters.scope ?? '').split(' ').filter(Boolean);
  const { code_challenge: codeChallenge, nonce } = parameters;
  const code = state.grants.addCode({
    grant: { clientId: client.clientId, login, scope, revoked: false },
    redirectUri,
    ...(codeChallenge && { codeChallenge }),
    ...(nonce && { nonce }),
  });
  return goBack({ code, scope: scope.join(' ') });
}

function refusalOf(parameters: Parameters, client: OneIdTestClient): readonly [string, string] | undefined {
  if (parameters.response_type !== 'code') return ['unsupported_response_type', "Only 'code' is supported."];
  if ((parameters.state ?? '').length < leastEntropy) {
    return ['invalid_state', `The state has to have at least ${leastEntropy} characters.`];
  }
  if (parameters.nonce && parameters.nonce.length < leastEntropy) {
    return ['insufficient_entropy', `The nonce has to have at least ${leastEntropy} characters.`];
  }
  const challenge = parameters.code_challenge;
  if (!challenge) return client.clientSecret ? undefined : ['invalid_request', 'A public client has to use PKCE.'];
  return parameters.code_challenge_method === 'S256' ? undefined : ['invalid_request', 'PKCE has to use S256.'];
}

/** The login after the consent page; undefined when it has ended there and Hydra stops the sign-in. */
async function consent(state: ProviderState, login: BrowserLogin): Promise<BrowserLogin | undefined> {
  const { atConsent } = state;
  state.atConsent = undefined;
  await atConsent?.();
  if (state.logins.find(login.sid)) return login;
  return state.hydra === '1.11' ? { ...login, sid: '' } : undefined;
}

/** The browser's login. A new login where OneID would show its login page; with `prompt=none`, undefined. */
function loginFor({ logins, now }: ProviderState, { prompt = '', max_age }: Parameters): BrowserLogin | undefined {
  const { current, latest } = logins;
  const isTooOld = current && max_age ? secondsOf(now()) - current.authTime > Number(max_age) : false;
  if (current && prompt !== 'login' && !isTooOld) return current;
  if (prompt === 'none') return undefined;
  return logins.signIn(latest ? { sub: latest.sub } : {});
}
