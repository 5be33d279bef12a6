import { type BrowserLogin } from './browser-logins.js';
import { deliver, type Delivery, type DeliveryOptions } from './deliver.js';
import { frontchannelUrl } from './frontchannel-url.js';
import { type ProviderState, tokenIssuer } from './provider-state.js';
import { type OneIdTestClient } from './test-client.js';
import { makeLogoutToken } from './tokens.js';

/** The delivery of the logout token to one client. */
export interface BackchannelDelivery extends Delivery {
  readonly clientId: string;
  readonly uri: string;
  readonly token: string;
}

/** The notifications about a login's end, by channel. */
export interface Logout {
  readonly backchannel: readonly BackchannelDelivery[];
  /** URLs that OneID's page puts into iframes. */
  readonly frontchannel: readonly string[];
}

/**
 * Ends a login and tells the clients that have an ID token of it, over each channel for which they have a URI. OneID
 * tells no client about a login that is not remembered.
 */
export function endLogin(
  state: ProviderState,
  { sid }: Pick<BrowserLogin, 'sid'>,
  options: DeliveryOptions,
): { backchannel: Promise<BackchannelDelivery[]>; frontchannel: string[] } {
  const isRemembered = state.logins.find(sid)?.remembered ?? true;
  const clients = isRemembered ? clientsOf(state, sid) : [];
  state.logins.end(sid);
  return {
    backchannel: Promise.all(
      clients.flatMap(({ clientId, backchannelLogoutUri: uri }) =>
        uri === undefined ? [] : [notify(state, clientId, uri, sid, options)],
      ),
    ),
    frontchannel: clients.flatMap(({ frontchannelLogoutUri: uri }) =>
      uri === undefined ? [] : [frontchannelUrl(uri, { iss: state.issuer, sid })],
    ),
  };
}

const clientsOf = ({ clients, logins }: ProviderState, sid: string): OneIdTestClient[] =>
  logins.clientIdsOf(sid).flatMap((clientId) => clients.get(clientId) ?? []);

async function notify(
  state: ProviderState,
  clientId: string,
  uri: string,
  sid: string,
  options: DeliveryOptions,
): Promise<BackchannelDelivery> {
  const token = await makeLogoutToken(tokenIssuer(state), { clientId, sid });
  return { clientId, uri, token, ...(await deliver(uri, token, options)) };
}
