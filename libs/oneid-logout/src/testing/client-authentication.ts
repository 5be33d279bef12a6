import { decodeJwt, importJWK, type JWK, jwtVerify } from 'jose';
import { endpointPaths } from './endpoint-paths.js';
import { type ProviderState } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';
import { type OneIdTestClient } from './test-client.js';

type Form = Readonly<Record<string, string>>;

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * The client that sent a request, or undefined when it failed to authenticate.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1 RFC 6749 §2.3.1}
 */
export async function authenticateClient(
  state: Pick<ProviderState, 'clients' | 'issuer' | 'now'>,
  { form, headers: { authorization } }: Pick<ReceivedRequest, 'form' | 'headers'>,
): Promise<OneIdTestClient | undefined> {
  const { clientId, secret, method } = credentials(authorization, form);
  const client = state.clients.get(clientId ?? '');
  if (!client || client.clientSecret !== secret) return undefined;
  if (client.tokenEndpointAuthMethod !== undefined && client.tokenEndpointAuthMethod !== method) return undefined;
  if (client.assertionKey === undefined) return method === 'private_key_jwt' ? undefined : client;
  return (await isSignedBy(client.assertionKey, client.clientId, state, form)) ? client : undefined;
}

function credentials(authorization: string | undefined, form: Form) {
  if (authorization?.startsWith('Basic ')) {
    const pair = Buffer.from(authorization.slice(6), 'base64').toString();
    const colon = pair.indexOf(':');
    const [clientId, secret] = [pair.slice(0, colon), pair.slice(colon + 1)].map(formDecode);
    return { clientId, secret, method: 'client_secret_basic' };
  }
  const { client_id: clientId, client_secret: secret, client_assertion: assertion } = form;
  if (assertion !== undefined) return { clientId: clientId ?? subjectOf(assertion), method: 'private_key_jwt' };
  return { clientId, secret, method: secret === undefined ? 'none' : 'client_secret_post' };
}

/** @see {@link https://www.rfc-editor.org/rfc/rfc7523#section-3 RFC 7523 §3} */
async function isSignedBy(
  key: JWK,
  clientId: string,
  { issuer, now }: Pick<ProviderState, 'issuer' | 'now'>,
  { client_assertion: assertion = '', client_assertion_type: type }: Form,
): Promise<boolean> {
  if (type !== ASSERTION_TYPE) return false;
  return jwtVerify(assertion, await importJWK(key), {
    // as in Hydra: `aud` must be the token endpoint's URL, not the issuer
    audience: issuer.replace(/\/$/, '') + endpointPaths.token,
    ...{ issuer: clientId, subject: clientId, requiredClaims: ['exp', 'jti'] },
    currentDate: new Date(now()),
  }).then(
    () => true,
    () => false,
  );
}

function subjectOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).sub;
  } catch {
    return undefined;
  }
}

const formDecode = (text: string): string => new URLSearchParams(`v=${text.replaceAll('&', '%26')}`).get('v') ?? '';
