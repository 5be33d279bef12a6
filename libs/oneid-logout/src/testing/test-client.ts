/**
 * A client registered with the provider.
 */
export interface OneIdTestClient {
  clientId: string;
  /** A client without one is public: it has to use PKCE. */
  clientSecret?: string;
  /** The one way the client may authenticate; any that fits its secret by default. */
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post' | 'none';
  redirectUris?: readonly string[];
  postLogoutRedirectUris?: readonly string[];
  backchannelLogoutUri?: string;
  frontchannelLogoutUri?: string;
}

/**
 * How a client authenticated, or undefined when it failed to.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1 RFC 6749 §2.3.1}
 */
export function authenticateClient(
  clients: ReadonlyMap<string, OneIdTestClient>,
  authorization: string | undefined,
  form: Readonly<Record<string, string>>,
): OneIdTestClient | undefined {
  const { clientId, secret, method } = credentials(authorization, form);
  const client = clients.get(clientId ?? '');
  if (!client || client.clientSecret !== secret) return undefined;
  if (client.tokenEndpointAuthMethod !== undefined && client.tokenEndpointAuthMethod !== method) return undefined;
  return client;
}

function credentials(authorization: string | undefined, form: Readonly<Record<string, string>>) {
  if (authorization?.startsWith('Basic ')) {
    const pair = Buffer.from(authorization.slice(6), 'base64').toString();
    const colon = pair.indexOf(':');
    const [clientId, secret] = [pair.slice(0, colon), pair.slice(colon + 1)].map(formDecode);
    return { clientId, secret, method: 'client_secret_basic' };
  }
  const { client_id: clientId, client_secret: secret } = form;
  return { clientId, secret, method: secret === undefined ? 'none' : 'client_secret_post' };
}

const formDecode = (text: string): string => new URLSearchParams(`v=${text.replaceAll('&', '%26')}`).get('v') ?? '';
