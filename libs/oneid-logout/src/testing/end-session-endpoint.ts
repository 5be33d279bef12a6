import { compactVerify } from 'jose';
import { type Answer, errorPage, page, redirect } from './answer.js';
import { type BrowserLogin } from './browser-logins.js';
import { endpointPaths } from './endpoint-paths.js';
import { postLogoutUrl } from './logout-urls.js';
import { type ProviderState, secondsOf } from './provider-state.js';
import { parametersOf, type ReceivedRequest } from './received-request.js';
import { type OneIdTestClient } from './test-client.js';
import { type Claims } from './sign-compact.js';

/** Ends a login and starts the back-channel deliveries to its clients. @returns the front-channel URLs */
export type Notify = (login: BrowserLogin) => readonly string[];

/**
 * Hydra's end-session endpoint. It shows no logout page and acts as if the user had confirmed. It removes the browser's
 * cookie also when the hint is of another login: the cookie's login then goes on, and no client is told of it.
 *
 * @see {@link https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout RP-Initiated Logout 1.0 §2}
 */
export async function endSession(state: ProviderState, request: ReceivedRequest, notify: Notify): Promise<Answer> {
  const { id_token_hint: hint, ...parameters } = parametersOf(request);
  const outcome = hint ? await logoutByHint(state, hint, parameters) : logoutByCookie(state, parameters);
  if ('refusal' in outcome) return errorPage('invalid_request', `Logout failed because ${outcome.refusal}`);

  if (outcome.login) state.logins.removeCookie();
  const urls = outcome.login ? notify(outcome.login) : [];
  return urls.length > 0 ? iframesPage(urls, outcome.goTo) : redirect(outcome.goTo);
}

type Outcome = { refusal: string } | { login: BrowserLogin | undefined; goTo: string };
type Parameters = Readonly<Record<string, string>>;

function logoutByCookie({ issuer, logins }: ProviderState, parameters: Parameters): Outcome {
  for (const name of ['state', 'post_logout_redirect_uri']) {
    if (parameters[name]) return { refusal: `query parameter ${name} is set but id_token_hint is missing.` };
  }
  return { login: logins.current, goTo: loggedOutPage(issuer) };
}

async function logoutByHint(state: ProviderState, hint: string, parameters: Parameters): Promise<Outcome> {
  const claims = await verifiedClaims(state, hint);
  if (!claims) return { refusal: 'the id_token_hint has no valid signature.' };
  if (claims.iss !== state.issuer) return { refusal: 'the issuer of id_token_hint is another.' };
  if (typeof claims.iat !== 'number' || claims.iat > secondsOf(state.now())) {
    return { refusal: 'the iat of id_token_hint is missing or in the future.' };
  }
  const { sid, sub, aud } = claims;
  if (typeof sid !== 'string' || !sid) return { refusal: 'id_token_hint is missing sid claim.' };
  if (typeof sub !== 'string' || !sub) return { refusal: 'id_token_hint is missing sub claim.' };
  const client = [aud].flat().flatMap((id) => (typeof id === 'string' ? (state.clients.get(id) ?? []) : []))[0];
  if (!client) return { refusal: 'none of the listed audiences is a registered client.' };

  const goTo = redirectTarget(state, client, parameters);
  if (goTo === undefined)
    return {
      refusal: 'post_logout_redirect_uri is not registered for the client. Add it to its postLogoutRedirectUris.',
    };
  return { login: state.logins.find(sid), goTo };
}

// Hydra accepts expired hints, and only hints that its newest key has signed.
async function verifiedClaims({ keys }: ProviderState, hint: string): Promise<Claims | undefined> {
  try {
    const { payload } = await compactVerify(hint, keys.current.publicJwk);
    return JSON.parse(new TextDecoder().decode(payload)) as Claims;
  } catch {
    return undefined;
  }
}

function redirectTarget(provider: ProviderState, client: OneIdTestClient, parameters: Parameters): string | undefined {
  const { post_logout_redirect_uri: uri, state = '' } = parameters;
  if (!uri) return loggedOutPage(provider.issuer);
  if (!client.postLogoutRedirectUris?.includes(uri)) return undefined;
  return postLogoutUrl(uri, state || provider.alwaysSetsState ? state : undefined);
}

const loggedOutPage = (issuer: string): string => issuer.replace(/\/$/, '') + endpointPaths.loggedOut;

/**
 * Hydra's page. The browser goes on 500 ms after all iframes have loaded, at the latest after 7 s. Each URL is an
 * {@link URL.href}: its path and query hold no quote and no angle bracket, so only `&` is left to escape.
 */
const iframesPage = (urls: readonly string[], goTo: string): Answer =>
  page(`<!doctype html><title>Logging out</title><style>iframe{position:absolute;width:0;height:0;border:0}</style>
<script>
let left = ${urls.length};
const goOn = () => { location.href = ${JSON.stringify(goTo).replaceAll('<', '\\u003c')}; };
const loaded = () => { left -= 1; if (left === 0) setTimeout(goOn, 500); };
setTimeout(goOn, 7000);
</script>
${urls.map((url) => `<iframe src="${url.replaceAll('&', '&amp;')}" onload="loaded()"></iframe>`).join('\n')}`);
