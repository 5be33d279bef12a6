import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { CompactEncrypt, compactVerify, decodeJwt, type JWK, jwtVerify, SignJWT } from 'jose';

/** A key that signs the provider's tokens, RS256. */
export interface ProviderKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: JWK;
}

/** An answer that a test puts in place of the provider's own. */
export interface FixedAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as a page, in place of `body`. */
  readonly html?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Query or form parameters of a request that reached the provider. */
export interface ProviderRequest {
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** One browser login at the provider. */
interface Login {
  readonly sid: string;
  readonly sub: string;
}

interface Code {
  readonly login: Login;
  readonly nonce: string | undefined;
}

/** The names of claims, and their values. `undefined` leaves a claim out; `null` is written as `null`. */
export type ClaimOverrides = Readonly<Record<string, unknown>>;

export const CLIENT_ID = 'black-box';
const API_AUDIENCE = 'https://api.black-box.example';
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const HOUR = 3600;

/** @param pem an RSA private key; a new one by default */
export function providerKey(kid: string = randomUUID(), pem?: string): ProviderKey {
  const privateKey =
    pem === undefined ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey : createPrivateKey(pem);
  const publicJwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
  return { kid, privateKey, publicJwk };
}

/**
 * A provider that shares no code with the library or its OneID for tests: node:http and jose only. It signs its one user
 * in without a page. It has the habits of Hydra (a hint needs the newest key) and of Keycloak (a revocation detaches the
 * app from the login; each logout is sent once).
 */
export class BlackBoxProvider {
  /** Published keys. The first one signs, and it alone may have signed a hint. */
  keys: readonly ProviderKey[];
  /** The answers that the test gives in place of the provider's own, by path. The first is taken, and so on. */
  readonly answers = new Map<string, FixedAnswer[]>();
  /** Claims of the next ID tokens, one entry each. */
  readonly nextIdTokens: ClaimOverrides[] = [];
  /** Encrypts ID tokens (RSA-OAEP-256, A128CBC-HS256). */
  idTokenKey: JWK | undefined;
  /** The public key of a client that authenticates by `private_key_jwt`. */
  clientKey: JWK | undefined;
  /** Origin of the app, for logout tokens. */
  appUrl = '';
  readonly requests: ProviderRequest[] = [];
  /** The refresh tokens that are alive, and their `sid`. */
  readonly refreshTokens = new Map<string, string>();
  private login: Login | undefined;
  private readonly codes = new Map<string, Code>();
  private readonly detached = new Set<string>();

  private constructor(
    private readonly server: Server,
    readonly issuer: string,
    private readonly now: () => number,
    key: ProviderKey,
  ) {
    this.keys = [key];
  }

  /** @param now the provider's clock, milliseconds since 1970 */
  static async start(now: () => number, key: ProviderKey): Promise<BlackBoxProvider> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const provider = new BlackBoxProvider(server, issuer, now, key);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const { pathname, searchParams } = new URL(request.url ?? '/', issuer);
        const parameters = Object.fromEntries([...searchParams, ...new URLSearchParams(body)]);
        void provider.answer(pathname, parameters).then(({ status, body: answer, html, headers = {} }) => {
          const type = html === undefined ? 'application/json' : 'text/html';
          response.writeHead(status, { 'Content-Type': type, ...headers });
          response.end(html ?? (answer === undefined ? '' : JSON.stringify(answer)));
        });
      });
    });
    return provider;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  /** The reference app's environment variables for this provider. */
  environment(port: number): Readonly<Record<string, string>> {
    return {
      PORT: String(port),
      ONEID_ISSUER: this.issuer,
      ONEID_CLIENT_ID: CLIENT_ID,
      ONEID_CLIENT_SECRET: 'the secret of the black box',
      APP_SECRETS: 'a secret of thirty-two characters',
      API_AUDIENCE,
    };
  }

  /** Forgets the login, the requests, and the answers that the last test has put in place. */
  reset(): void {
    this.login = undefined;
    this.requests.length = 0;
    this.nextIdTokens.length = 0;
    this.answers.clear();
    this.refreshTokens.clear();
  }

  get sid(): string | undefined {
    return this.login?.sid;
  }

  get seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** The parameters of all requests to a path, oldest first. */
  to(path: string): ProviderRequest['parameters'][] {
    return this.requests.filter((request) => request.path === path).map(({ parameters }) => parameters);
  }

  sign(claims: ClaimOverrides, key = this.keys[0]): Promise<string> {
    if (key === undefined) throw new Error('the provider has no key');
    const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.kid });
    return jwt.sign(key.privateKey);
  }

  /** A logout token for the current login, as Hydra makes it. */
  logoutToken(overrides: ClaimOverrides = {}): Promise<string> {
    const { issuer: iss, seconds: iat, sid } = this;
    const events = { [LOGOUT_EVENT]: {} };
    return this.sign({ iss, aud: [CLIENT_ID], iat, jti: randomUUID(), sid, events, ...overrides });
  }

  accessToken(overrides: ClaimOverrides = {}): Promise<string> {
    const { issuer: iss, seconds: iat, login } = this;
    return this.sign({ iss, aud: API_AUDIENCE, iat, exp: iat + HOUR, ...login, ...overrides });
  }

  /** Sends a logout token to the app, once. */
  async send(token: string): Promise<{ status: number; retryAfter: string | null; body: string }> {
    const body = new URLSearchParams({ logout_token: token });
    const response = await fetch(`${this.appUrl}/backchannel_logout`, { method: 'POST', body });
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.text() };
  }

  /** Ends the login. The app is told once, unless a revocation has detached it. @returns the app's status */
  async logOut(): Promise<number | undefined> {
    const { sid } = this;
    const token = sid === undefined || this.detached.has(sid) ? undefined : await this.logoutToken();
    this.login = undefined;
    return token === undefined ? undefined : (await this.send(token)).status;
  }

  private async answer(path: string, parameters: ProviderRequest['parameters']): Promise<FixedAnswer> {
    this.requests.push({ path, parameters });
    const fixed = this.answers.get(path)?.shift();
    if (fixed !== undefined) return fixed;
    switch (path) {
      case '/.well-known/openid-configuration':
        return { status: 200, body: this.metadata };
      case '/jwks':
        return { status: 200, body: { keys: this.keys.map(({ publicJwk }) => publicJwk) } };
      case '/auth':
        return this.authorize(parameters);
      case '/token':
        return this.exchange(parameters);
      case '/revoke':
        return this.revoke(parameters);
      case '/logout':
        return this.endSession(parameters);
      default:
        return { status: 404 };
    }
  }

  private get metadata() {
    const { issuer } = this;
    return {
      issuer,
      authorization_endpoint: `${issuer}auth`,
      token_endpoint: `${issuer}token`,
      jwks_uri: `${issuer}jwks`,
      revocation_endpoint: `${issuer}revoke`,
      end_session_endpoint: `${issuer}logout`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }

  private authorize({ redirect_uri = '', state = '', nonce, prompt }: ProviderRequest['parameters']): FixedAnswer {
    if (this.login === undefined || prompt === 'login') this.login = { sub: 'alice', sid: randomUUID() };
    const code = randomUUID();
    this.codes.set(code, { login: this.login, nonce });
    return redirect(`${redirect_uri}?${new URLSearchParams({ code, state }).toString()}`);
  }

  private async exchange({ code = '' }: ProviderRequest['parameters']): Promise<FixedAnswer> {
    const granted = this.codes.get(code);
    if (granted === undefined || !this.codes.delete(code)) return { status: 400, body: { error: 'invalid_grant' } };
    const { login, nonce } = granted;
    const { issuer: iss, seconds: iat } = this;
    const claims = { iss, aud: CLIENT_ID, iat, exp: iat + HOUR, auth_time: iat, ...login, nonce };
    const refresh_token = randomUUID();
    this.refreshTokens.set(refresh_token, login.sid);
    const id_token = await this.encrypted(await this.sign({ ...claims, ...this.nextIdTokens.shift() }));
    const access_token = await this.accessToken();
    return { status: 200, body: { token_type: 'bearer', expires_in: HOUR, access_token, refresh_token, id_token } };
  }

  private encrypted(jws: string): string | Promise<string> {
    if (this.idTokenKey === undefined) return jws;
    return new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A128CBC-HS256', cty: 'JWT' })
      .encrypt(this.idTokenKey);
  }

  private async revoke({ token = '', client_assertion }: ProviderRequest['parameters']): Promise<FixedAnswer> {
    if (this.clientKey !== undefined) {
      const { aud } = decodeJwt(client_assertion ?? '');
      if (Array.isArray(aud))
        return { status: 400, body: { error: 'invalid_client', error_description: 'Multiple audiences not allowed' } };
      const expected = { audience: `${this.issuer}token`, subject: CLIENT_ID, currentDate: new Date(this.now()) };
      await jwtVerify(client_assertion ?? '', this.clientKey, expected);
    }
    const sid = this.refreshTokens.get(token);
    this.refreshTokens.delete(token);
    if (sid !== undefined) this.detached.add(sid);
    return { status: 200 };
  }

  /** As Hydra: no hint and no address leads to the provider's own page; a hint needs the newest key. */
  private async endSession(parameters: ProviderRequest['parameters']): Promise<FixedAnswer> {
    const { id_token_hint: hint, post_logout_redirect_uri: uri, state = '' } = parameters;
    const [newest] = this.keys;
    if (hint === undefined && uri !== undefined) return { status: 400, body: { error: 'invalid_request' } };
    if (hint !== undefined && newest !== undefined) {
      const valid = await compactVerify(hint, newest.publicJwk).then(
        () => true,
        () => false,
      );
      if (!valid) return { status: 400, body: { error: 'invalid_request' } };
    }
    await this.logOut();
    return uri === undefined
      ? { status: 200, body: 'logged out' }
      : redirect(`${uri}?${new URLSearchParams({ state }).toString()}`);
  }
}

const redirect = (location: string): FixedAnswer => ({ status: 302, headers: { Location: location } });
