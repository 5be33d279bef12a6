import { type RegisteredSession, type RegisterSessionOptions } from 'nestjs-oneid-logout';
import { type BrowserLogin } from 'nestjs-oneid-logout/testing';
import { type Status } from '../support/history.js';
import { clientId } from '../support/host.js';
import { type ReplicaFleet } from '../support/replica-fleet.js';

/** A user who has signed in. */
export interface User {
  readonly issuer: string;
  readonly sub: string;
  readonly sid: string;
  /** The id of the session. */
  readonly id: string;
  /** The session token. */
  readonly token: string;
  readonly login: BrowserLogin;
}

/** What browsers, OneID and administrators do with the replicas of `replica-main.ts`. */
export class Replicas {
  private subs = 0;

  constructor(private readonly fleet: ReplicaFleet) {}

  /** @param sub by default a new user */
  signInAtOneId(sub = `user ${(this.subs += 1)}`): BrowserLogin {
    return this.fleet.oneId.signIn({ sub });
  }

  async signIn(
    replica: number,
    login = this.signInAtOneId(),
    options: Omit<RegisterSessionOptions, 'idToken'> = {},
  ): Promise<User> {
    const idToken = await this.fleet.oneId.idToken({ clientId, login });
    const session = await this.post<RegisteredSession>(replica, '/sign-in', { ...options, idToken });
    const { id, issuer, sub, sessionToken: token } = session;
    return { id, issuer, sub, sid: login.sid, token, login };
  }

  /** @throws {Error} the answer is no success; its message has the body */
  async post<T = unknown>(replica: number, path: string, body: object, user?: Pick<User, 'token'>): Promise<T> {
    const response = await fetch(`${this.url(replica)}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(user && { cookie: `session=${user.token}` }) },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} of replica ${replica} was answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Requests a guarded page of each replica. */
  ask({ token }: Pick<User, 'token'>): Promise<Status[]> {
    const noAnswer = (): Status => 'no answer';
    return Promise.all(
      this.fleet.numbers.map((number) => this.fleet.replica(number).process.me(token).catch(noAnswer)),
    );
  }

  /** Sends a logout token as OneID does. */
  async deliver(replica: number, { sid }: User): Promise<number> {
    return this.fleet.replica(replica).process.deliver(await this.fleet.oneId.logoutToken({ clientId, sid }));
  }

  async frontchannel(replica: number, { sid }: User): Promise<void> {
    const url = this.fleet.oneId.frontchannelUrl(`${this.url(replica)}/frontchannel_logout`, { sid });
    const response = await fetch(url);
    if (response.status !== 200) throw new Error(`The front-channel answered ${response.status}`);
  }

  /** The user presses the log-out button. */
  async startLogout(replica: number, { token }: User): Promise<{ state: string; cookies: string }> {
    const response = await fetch(`${this.url(replica)}/logout`, {
      method: 'POST',
      headers: { accept: 'application/json', 'sec-fetch-site': 'same-origin', cookie: `session=${token}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`/logout of replica ${replica} was answered ${response.status}: ${text}`);
    const { url } = JSON.parse(text) as { url: string };
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '');
    return { state: new URL(url).searchParams.get('state') ?? '', cookies: cookies.join('; ') };
  }

  /** The browser comes back from OneID. @returns where the app sends it */
  async comeBack(replica: number, state: string, cookie: string): Promise<string | null> {
    const url = `${this.url(replica)}/logout/callback?${new URLSearchParams({ state }).toString()}`;
    const response = await fetch(url, { headers: { cookie }, redirect: 'manual' });
    return response.headers.get('location');
  }

  private url(replica: number): string {
    return this.fleet.replica(replica).process.url;
  }
}
