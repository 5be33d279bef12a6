import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type JSONWebKeySet } from 'jose';
import { send } from './answer.js';
import { type BrowserLogin, BrowserLogins, type SignIn } from './browser-logins.js';
import { deliver, type Deadline, type Delivery, type DeliveryOptions, type Wait, waitForReal } from './deliver.js';
import { type EndpointPath } from './endpoint-paths.js';
import { Grants } from './grants.js';
import { defaultHydra, fixedKeyId } from './hydra-version.js';
import {
  type BackchannelDelivery,
  endLogin,
  type Logout,
  type LogoutUnderWay,
  requireLogin,
  whyNobodyIsTold,
} from './logout-notifications.js';
import { frontchannelUrl } from './logout-urls.js';
import { listen, type LoopbackServer } from './loopback-server.js';
import { discoveryDocument } from './provider-metadata.js';
import { type OneIdTestProviderOptions } from './provider-options.js';
import { type ProviderState, secondsOf, tokenIssuer } from './provider-state.js';
import { receive, type ReceivedRequest } from './received-request.js';
import { type MetadataOverrides, type RevocationRequest } from './provider-state.js';
import { answerWithoutDatabase } from './revocation-endpoint.js';
import { routes } from './routes.js';
import { createSigningKey, type KeyRotation, type SigningKey, SigningKeys } from './signing-keys.js';
import { type OneIdTestClient } from './test-client.js';
import {
  type AccessTokenRequest,
  type IdTokenRequest,
  type LogoutTokenRequest,
  makeAccessToken,
  makeIdToken,
  makeLogoutToken,
  type RefreshTokenRequest,
} from './tokens.js';
import { cause, type Trouble, Troubles } from './troubles.js';

/**
 * A OneID for tests, on a loopback port of this process. Its endpoints, tokens and behaviour are Ory Hydra's.
 *
 * @example
 * ```ts
 * import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
 *
 * // the status of a request after a logout at OneID; the app is configured with `oneId.issuer`
 * export async function statusAfterLogout(app: { url: string; signIn(idToken: string): Promise<string> }) {
 *   const backchannelLogoutUri = `${app.url}/backchannel_logout`;
 *   const oneId = await OneIdTestProvider.start({ clients: [{ clientId: 'my-app', backchannelLogoutUri }] });
 *   try {
 *     const login = oneId.signIn({ sub: 'alice' });
 *     const cookie = await app.signIn(await oneId.idToken({ clientId: 'my-app', login }));
 *     await oneId.logout(login); // OneID tells each client that has an ID token of this login
 *     return (await fetch(`${app.url}/me`, { headers: { cookie } })).status; // 401
 *   } finally {
 *     await oneId.close();
 *   }
 * }
 * ```
 */
export class OneIdTestProvider {
  readonly #state: ProviderState;
  readonly #server: LoopbackServer;
  readonly #wait: Wait;
  readonly #deadline: Deadline | undefined;
  readonly #requests: ReceivedRequest[] = [];
  readonly #troubles = new Troubles();
  readonly #closing = new AbortController();
  readonly #deliveries: Promise<BackchannelDelivery>[] = [];

  private constructor(server: LoopbackServer, state: ProviderState, { wait, deadline }: OneIdTestProviderOptions) {
    this.#server = server;
    this.#state = state;
    this.#wait = wait ?? waitForReal;
    this.#deadline = deadline;
    const answer = routes(state, (login) => this.#end(login).frontchannel);
    server.serve((request, response) => this.#handle(request, response, answer));
  }

  /**
   * Starts the server on 127.0.0.1.
   *
   * @throws {Error} the port is in use, or `trailingSlash: false` does not fit `hydra: '1.11'`
   */
  static async start(options: OneIdTestProviderOptions = {}): Promise<OneIdTestProvider> {
    const { hydra = defaultHydra, now = () => Date.now(), clients = [], trailingSlash = true } = options;
    if (hydra === '1.11' && !trailingSlash) {
      throw new Error("trailingSlash: false needs hydra: '2', because Hydra v1.11 ends every iss in a slash.");
    }
    const keys = new SigningKeys(options.signingKey ?? (await createSigningKey('RS256', fixedKeyId(hydra))), hydra);
    const server = await listen(options.port ?? 0);
    const path = options.issuerPath?.replaceAll(/^\/|\/$/g, '') ?? '';
    const seconds = (): number => secondsOf(now());
    const state: ProviderState = {
      hydra,
      issuer: server.origin + (path && `/${path}`) + (trailingSlash ? '/' : ''),
      clients: new Map(clients.map((client) => [client.clientId, client])),
      keys,
      logins: new BrowserLogins(seconds),
      grants: new Grants(seconds),
      revoked: [],
      alwaysSetsState: options.alwaysSetsState ?? false,
      now,
      metadata: options.metadata ?? {},
      atConsent: undefined,
    };
    return new OneIdTestProvider(server, state, options);
  }

  /** The exact `iss` of the tokens. */
  get issuer(): string {
    return this.#state.issuer;
  }

  /** The absolute URL of a path that is relative to the issuer. */
  url(path: EndpointPath): string {
    return this.issuer.replace(/\/$/, '') + path;
  }

  /** Adds a client. For a known client id, replaces the given fields and keeps the others. */
  registerClient(client: OneIdTestClient): void {
    const { clients } = this.#state;
    clients.set(client.clientId, { ...clients.get(client.clientId), ...client });
  }

  /** The discovery document as it is served. */
  get metadata(): Readonly<Record<string, unknown>> {
    return discoveryDocument(this.#state);
  }

  /** Replaces fields of the discovery document; `undefined` leaves one out. */
  setMetadata(overrides: MetadataOverrides): void {
    this.#state.metadata = { ...this.#state.metadata, ...overrides };
  }

  /** The key that signs tokens now. */
  get signingKey(): SigningKey {
    return this.#state.keys.current;
  }

  /** The JWKS as it is served. */
  get jwks(): JSONWebKeySet {
    return this.#state.keys.jwks;
  }

  /**
   * Signs with a new key from now on. The JWKS serves the new key first, then the older keys if `keepOld` is true. The
   * logout endpoint refuses a hint that another key has signed.
   */
  rotateKeys(rotation: KeyRotation = {}): Promise<SigningKey> {
    return this.#state.keys.rotate(rotation);
  }

  /** Adds a key to the JWKS. It signs only the tokens that are requested with this `key`. */
  addKey(alg = 'ES256'): Promise<SigningKey> {
    return this.#state.keys.publish(alg);
  }

  /** Signs a user in. The browser has this login from now on; a missing `sub` or `sid` is a random UUID. */
  signIn(signIn: SignIn = {}): BrowserLogin {
    return this.#state.logins.signIn(signIn);
  }

  /** The browser's login; undefined before a sign-in, after the login's end, and when the browser lost its cookie. */
  get login(): BrowserLogin | undefined {
    return this.#state.logins.current;
  }

  /**
   * Runs once, while the user of the next authorization request is at OneID's consent page. When it ends the user's
   * login, the ID token has `sid: ""` with `hydra: '1.11'`, and the sign-in stops at OneID's error page with `hydra: '2'`.
   *
   * @example
   * ```ts
   * import { type BrowserLogin, type OneIdTestProvider } from 'nestjs-oneid-logout/testing';
   *
   * export function expireAtConsent(oneId: OneIdTestProvider, login: BrowserLogin): void {
   *   oneId.atConsent(() => oneId.forget(login));
   * }
   * ```
   */
  atConsent(act: () => unknown): void {
    this.#state.atConsent = act;
  }

  /**
   * An ID token, valid for one hour. From now on, OneID tells the client when the login ends.
   *
   * @see {@link https://openid.net/specs/openid-connect-core-1_0.html#IDToken OpenID Connect Core 1.0 §2}
   */
  idToken(request: IdTokenRequest): Promise<string> {
    const sid = request.sid ?? request.login?.sid;
    if (sid) this.#state.logins.meet(sid, request.clientId);
    return makeIdToken(tokenIssuer(this.#state), request);
  }

  /**
   * A JWT access token like Hydra's, valid for one hour. It takes the `sub` of `login`, but never the `sid`. A `sid` of
   * the request is a customised claim (`allowed_top_level_claims`), which Hydra v1.11 writes as `sid: null`.
   */
  accessToken(request: AccessTokenRequest): Promise<string> {
    const losesSid = this.#state.hydra === '1.11' && request.sid !== undefined;
    const claims = losesSid ? { sid: null, ...request.claims } : request.claims;
    return makeAccessToken(tokenIssuer(this.#state), { ...request, ...(claims && { claims }) });
  }

  /** A live refresh token, made without a sign-in in the browser. */
  refreshToken({ clientId, login, scope = ['openid', 'offline'] }: RefreshTokenRequest): string {
    return this.#state.grants.addRefreshToken({ clientId, login, scope, revoked: false });
  }

  /**
   * A logout token as Hydra makes it, or as the specification describes it.
   *
   * @see {@link https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken Back-Channel Logout 1.0 §2.4}
   */
  logoutToken(request: LogoutTokenRequest): Promise<string> {
    return makeLogoutToken(tokenIssuer(this.#state), request);
  }

  /**
   * Sends a logout token as this version of Hydra does, see {@link deliver}.
   *
   * @throws {Error} the provider is closed
   */
  async deliver(uri: string, logoutToken: string, options: DeliveryOptions = {}): Promise<Delivery> {
    this.#refuseIfClosed('deliver()');
    return deliver(uri, logoutToken, this.#deliveryOptions(options));
  }

  /** The URL that OneID puts into an iframe, see {@link frontchannelUrl}. */
  frontchannelUrl(uri: string, { sid, iss = this.issuer }: { sid: string; iss?: string }): string {
    return frontchannelUrl(uri, { iss, sid });
  }

  /**
   * Ends the login, as when the user logs out at OneID, and tells each client that has an ID token of the login. A
   * login that OneID does not remember ends without telling any client.
   *
   * @returns the deliveries of the logout tokens, each with `delivered`, and the front-channel URLs, which no browser
   *   has loaded yet
   * @throws {Error} the argument is no login, or OneID would tell no client, because the test has forgotten something; the
   *   message says what to do. The login goes on
   */
  async logout(login: Pick<BrowserLogin, 'sid'>, options: DeliveryOptions = {}): Promise<Logout> {
    this.#refuseIfClosed('logout()');
    requireLogin(login, 'logout()');
    const reason = whyNobodyIsTold(this.#state, login);
    if (reason !== undefined) throw new Error(`OneIdTestProvider.logout() would tell no client: ${reason}`);
    const { backchannel, frontchannel } = this.#end(login, options);
    return { backchannel: await Promise.all(backchannel), frontchannel };
  }

  /**
   * Ends the login and tells no client, as when it expires or an administrator ends all logins of the user.
   *
   * @throws {Error} the argument is no login, or no login has this `sid`
   */
  forget(login: Pick<BrowserLogin, 'sid'>): void {
    requireLogin(login, 'forget()');
    const { sid } = login;
    if (!this.#state.logins.find(sid)) {
      throw new Error(`OneIdTestProvider.forget() ends no login, because no login has the sid ${JSON.stringify(sid)}.`);
    }
    this.#state.logins.end(sid);
  }

  /** Waits for the deliveries under way. @returns all deliveries of `logout` and of the end-session endpoint */
  deliveries(): Promise<BackchannelDelivery[]> {
    return Promise.all(this.#deliveries);
  }

  /** The revocation requests answered with 200, oldest first. */
  get revoked(): readonly RevocationRequest[] {
    return this.#state.revoked;
  }

  /** The requests that arrived, oldest first. */
  get requests(): readonly ReceivedRequest[] {
    return this.#requests;
  }

  /** Number of requests to a path. */
  count(path: EndpointPath): number {
    return this.#requests.filter((request) => request.path === path).length;
  }

  /** Forgets the requests so far. */
  clearRequests(): void {
    this.#requests.length = 0;
  }

  /**
   * Makes an endpoint fail, or all endpoints with the path `'*'`. Several troubles apply one after the other, each for
   * the number of requests in its `times`.
   *
   * @throws {TypeError} no trouble is given
   * @example
   * ```ts
   * import { endpointPaths, type OneIdTestProvider } from 'nestjs-oneid-logout/testing';
   *
   * // two answers 503, then a cut connection; then it works again
   * export function failThreeTimes(oneId: OneIdTestProvider): void {
   *   oneId.fail(endpointPaths.jwks, { status: 503, times: 2 }, { reset: true, times: 1 });
   * }
   * ```
   */
  fail(path: EndpointPath, ...troubles: readonly Trouble[]): void {
    if (troubles.length === 0)
      throw new TypeError('fail() needs a trouble, for example { status: 503 }. heal() ends one.');
    this.#troubles.set(path, troubles);
  }

  /** Ends the trouble at one endpoint, or all of it. */
  heal(path?: EndpointPath): void {
    this.#troubles.clear(path);
  }

  /** Stops the server, cuts its connections and aborts the deliveries under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#server.close();
    await this.deliveries();
  }

  #refuseIfClosed(call: string): void {
    if (!this.#closing.signal.aborted) return;
    throw new Error(
      `OneIdTestProvider.${call} sends nothing after close(). Close the provider at the end of the tests.`,
    );
  }

  #end(login: Pick<BrowserLogin, 'sid'>, options: DeliveryOptions = {}): LogoutUnderWay {
    const ended = endLogin(this.#state, login, this.#deliveryOptions(options));
    this.#deliveries.push(...ended.backchannel);
    return ended;
  }

  #deliveryOptions(options: DeliveryOptions): DeliveryOptions {
    const { signal: closing } = this.#closing;
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing;
    const { hydra, now } = this.#state;
    const deadline = this.#deadline && { deadline: this.#deadline };
    return { hydra, wait: this.#wait, ...deadline, now, ...options, signal };
  }

  async #handle(message: IncomingMessage, response: ServerResponse, answer: ReturnType<typeof routes>): Promise<void> {
    const basePath = new URL(this.issuer).pathname.replace(/\/$/, '');
    const request = await receive(message, basePath, this.#state.now());
    this.#requests.push(request);
    response.setHeader('Date', new Date(this.#state.now()).toUTCString());
    const trouble = this.#troubles.take(request.path);
    if (trouble && (await cause(trouble, response, (ms) => this.#wait(ms, this.#closing.signal)))) return;
    send(response, await (trouble?.databaseDown ? answerWithoutDatabase(this.#state, request) : answer(request)));
  }
}
