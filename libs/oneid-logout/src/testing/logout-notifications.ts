import { type BrowserLogin } from './browser-logins.js';
import { deliver, type Delivery, type DeliveryOptions } from './deliver.js';
import { frontchannelUrl } from './logout-urls.js';
import { type ProviderState, tokenIssuer } from './provider-state.js';
import { type OneIdTestClient } from './test-client.js';
import { makeLogoutToken, type TokenIssuer } from './tokens.js';

/** The delivery of the logout token to one client. */
export interface BackchannelDelivery extends Delivery {
  /** The client that OneID told. */
  readonly clientId: string;
  /** The client's `backchannel_logout_uri`. */
  readonly uri: string;
  /** The login that ended. */
  readonly sid: string;
  /** The logout token. */
  readonly token: string;
}

/** The notifications about a login's end, by channel. */
export interface Logout {
  /** The finished deliveries, one for each client with a `backchannel_logout_uri`. */
  readonly backchannel: readonly BackchannelDelivery[];
  /** URLs that OneID's page puts into iframes. */
  readonly frontchannel: readonly string[];
}

/** Notifications that are under way: the back-channel requests have started, the front-channel URLs wait for a page. */
export interface LogoutUnderWay {
  /** The deliveries, one for each client with a `backchannel_logout_uri`. */
  readonly backchannel: readonly Promise<BackchannelDelivery>[];
  /** URLs that OneID's page puts into iframes. */
  readonly frontchannel: readonly string[];
}

/** A client to notify: OneID uses each channel for which the client has a URI. */
export interface NotifiedClient {
  /** The `aud` of its logout token. */
  readonly clientId: string;
  /** OneID posts the logout token to it. */
  readonly backchannelLogoutUri?: string | undefined;
  /** OneID's page loads it in an iframe. */
  readonly frontchannelLogoutUri?: string | undefined;
}

/**
 * Tells clients that a login has ended, as Hydra does. This is all that a OneID sends on a logout, so a provider of
 * your own can send the same.
 *
 * @param from the provider's part of the logout tokens
 * @param clients the clients of the login
 * @param sid the login that has ended
 * @example
 * ```ts
 * import { notifyClients, type SigningKey } from 'nestjs-oneid-logout/testing';
 *
 * // for an app whose tests have a OneID of their own, which signs with this key
 * export async function tell(app: string, issuer: string, key: SigningKey, sid: string): Promise<boolean> {
 *   const from = { issuer, key, seconds: Math.floor(Date.now() / 1000) };
 *   const client = { clientId: 'my-app', backchannelLogoutUri: `${app}/backchannel_logout` };
 *   const deliveries = await Promise.all(notifyClients(from, [client], sid).backchannel);
 *   return deliveries.every(({ delivered }) => delivered);
 * }
 * ```
 */
export function notifyClients(
  from: TokenIssuer,
  clients: readonly NotifiedClient[],
  sid: string,
  options: DeliveryOptions = {},
): LogoutUnderWay {
  return {
    backchannel: clients.flatMap(({ clientId, backchannelLogoutUri: uri }) =>
      uri === undefined ? [] : [sendLogoutToken(from, { clientId, uri, sid }, options)],
    ),
    frontchannel: clients.flatMap(({ frontchannelLogoutUri: uri }) =>
      uri === undefined ? [] : [frontchannelUrl(uri, { iss: from.issuer, sid })],
    ),
  };
}

async function sendLogoutToken(
  from: TokenIssuer,
  target: { readonly clientId: string; readonly uri: string; readonly sid: string },
  options: DeliveryOptions,
): Promise<BackchannelDelivery> {
  const { clientId, uri, sid } = target;
  const token = await makeLogoutToken(from, { clientId, sid });
  return { ...target, token, ...(await deliver(uri, token, options)) };
}

/** Ends a login and tells its clients. OneID tells no client about a login that is not remembered. */
export function endLogin(
  state: ProviderState,
  { sid }: Pick<BrowserLogin, 'sid'>,
  options: DeliveryOptions,
): LogoutUnderWay {
  const isRemembered = state.logins.find(sid)?.remembered ?? true;
  const clients = isRemembered ? clientsOf(state, sid) : [];
  state.logins.end(sid);
  return notifyClients(tokenIssuer(state), clients, sid, options);
}

/**
 * Refuses what a test gives in place of a login, such as a promise that it does not await.
 *
 * @param method the name of the method that needs a login
 */
export function requireLogin(login: unknown, method: string): void {
  const came = cameInPlaceOfLogin(login);
  if (came === undefined) return;
  throw new Error(
    `OneIdTestProvider.${method} got ${came}, not a login. Give it what signIn() has returned, or login.`,
  );
}

function cameInPlaceOfLogin(login: unknown): string | undefined {
  if (login === undefined || login === null) return String(login);
  if (login instanceof Promise) return 'a promise';
  if (typeof login !== 'object') return `a value of type ${typeof login}`;
  return 'sid' in login && typeof login.sid === 'string' ? undefined : 'an object without a sid';
}

/**
 * Why OneID would tell no client that the login ends, for the author of a test who has forgotten something.
 *
 * @returns undefined if OneID tells a client, or if it tells none because it does not remember the login
 */
export function whyNobodyIsTold(state: ProviderState, { sid }: Pick<BrowserLogin, 'sid'>): string | undefined {
  const login = state.logins.find(sid);
  if (login === undefined) return `no login has the sid ${JSON.stringify(sid)}. ${NO_LOGIN}`;
  if (!login.remembered) return undefined;
  const clientIds = state.logins.clientIdsOf(sid);
  if (clientIds.length === 0) return NO_CLIENT;
  const clients = clientsOf(state, sid);
  const names = (clients.length > 0 ? clients.map(({ clientId }) => clientId) : clientIds).join(', ');
  if (clients.length === 0) return `it does not know the client of the login's ID tokens (${names}). ${NO_URI}`;
  const told = clients.some((client) => client.backchannelLogoutUri ?? client.frontchannelLogoutUri);
  return told ? undefined : `the clients of the login (${names}) have no logout URI. ${NO_URI}`;
}

const NO_LOGIN = 'Give it what signIn() has returned, or login. A login ends only once.';

const NO_CLIENT =
  'no client has an ID token of this login. Let your app sign the user in, or make the token with ' +
  'idToken({ clientId, login }). To end the login without telling any client, call forget().';

const NO_URI =
  'Call registerClient({ clientId, backchannelLogoutUri }) with the URI of your app, as soon as you know its port. To ' +
  'end the login without telling any client, call forget().';

const clientsOf = ({ clients, logins }: ProviderState, sid: string): OneIdTestClient[] =>
  logins.clientIdsOf(sid).flatMap((clientId) => clients.get(clientId) ?? []);
