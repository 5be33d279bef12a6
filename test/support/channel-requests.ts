import { type RegisteredSession, SessionRegistry, StoreUnavailableError } from 'nestjs-oneid-logout';
import { type BrowserLogin, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { type SqlRow } from '../../libs/oneid-logout/src/database/sql.js';
import { clientId, Host, type HostSettings } from './host.js';
import { intercept } from './session-store.js';

export const form = 'application/x-www-form-urlencoded';

/** Every part of an answer that may differ for OneID or for an attacker. */
export interface ChannelAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly cacheControl: string | null;
  readonly retryAfter: string | null;
  readonly body: unknown;
}

export async function answerOf(response: Response): Promise<ChannelAnswer> {
  const text = await response.text();
  const contentType = response.headers.get('content-type');
  return {
    status: response.status,
    contentType,
    cacheControl: response.headers.get('cache-control'),
    retryAfter: response.headers.get('retry-after'),
    body: contentType?.startsWith('application/json') === true ? (JSON.parse(text) as unknown) : text,
  };
}

/** Posts a body to the back-channel without changing it. */
export async function postRaw(host: Host, body: string, contentType = form): Promise<ChannelAnswer> {
  return answerOf(
    await host.fetch('/backchannel_logout', { method: 'POST', body, headers: { 'Content-Type': contentType } }),
  );
}

/** Posts a logout token as OneID does. */
export function post(host: Host, logoutToken: string, parameters: Record<string, string> = {}): Promise<ChannelAnswer> {
  return postRaw(host, new URLSearchParams({ ...parameters, logout_token: logoutToken }).toString());
}

/** The answer to a logout that the library recorded: OneID does not send it again. */
export const delivered: ChannelAnswer = {
  status: 200,
  contentType: null,
  cacheControl: 'no-store',
  retryAfter: null,
  body: '',
};

/** The answer to an invalid token: OneID must not send it again. */
export const refused = (code: string, description: string): ChannelAnswer => ({
  status: 400,
  contentType: 'application/json; charset=utf-8',
  cacheControl: 'no-store',
  retryAfter: null,
  body: { error: 'invalid_request', error_description: description, code },
});

/**
 * The answer to a logout that the library could not process: OneID must send it again.
 *
 * @param retryAfter seconds; it is longer for a token that OneID has sent before
 */
export const temporarilyUnavailable = (code: string, retryAfter = '5'): ChannelAnswer => ({
  status: 503,
  contentType: 'application/json; charset=utf-8',
  cacheControl: 'no-store',
  retryAfter,
  body: {
    error: 'temporarily_unavailable',
    error_description: 'The app could not process this logout, send it again',
    code,
  },
});

/** Signs a user in at OneID and registers the session at the host. */
export async function signIn(host: Host, login: BrowserLogin = host.oneId.signIn()) {
  const idToken = await host.oneId.idToken({ clientId, login });
  const session = await host.app.get(SessionRegistry).register({ idToken });
  return { login, session, idToken };
}

/** Does the work while the host's database refuses every statement, as if it were down. */
export async function whileDown<T>(host: Host, work: () => Promise<T>): Promise<T> {
  await host.settled();
  const database = host.app.get(SessionDatabase, { strict: false });
  const restore = intercept(database, () => Promise.reject(new StoreUnavailableError(new Error('down'))));
  try {
    return await work();
  } finally {
    await host.settled();
    restore();
  }
}

/** Stops the hosts and OneIDs of a test, also when the test fails. A running host would keep Jest running. */
export class Cleanup {
  private readonly started: (() => Promise<unknown>)[] = [];

  async host(settings: HostSettings = {}): Promise<Host> {
    const host = await Host.start(settings);
    this.started.push(() => host.stop());
    return host;
  }

  async oneId(): Promise<OneIdTestProvider> {
    const oneId = await OneIdTestProvider.start();
    this.started.push(() => oneId.close());
    return oneId;
  }

  async run(): Promise<void> {
    for (const stop of this.started.splice(0).reverse()) await stop();
  }
}

/** The reason why the host rejects a request of this session, or `alive`. */
export async function stateOf(host: Host, session: Pick<RegisteredSession, 'sessionToken'>): Promise<unknown> {
  const response = await host.fetch('/me', { session: session.sessionToken });
  const body = (await response.json()) as { reason?: unknown };
  return response.status === 200 ? 'alive' : body.reason;
}

/** All stored rows, without the columns that the revoker changes later, and without `changed_at`. */
export async function storedIn(host: Host) {
  await host.settled();
  const { sessions, logouts, tokens } = await host.stored();
  const sorted = logouts.toSorted((a, b) => String(a['id']).localeCompare(String(b['id'])));
  return {
    sessions,
    tokens,
    logouts: sorted.map((row) => ({
      ...row,
      revocation_due_at: undefined,
      leased_until: undefined,
      changed_at: undefined,
    })),
  };
}

/** The recorded logouts. Some drivers return numbers as strings; this function converts them. */
export async function logoutsOf(host: Host) {
  const { logouts } = await host.stored();
  const number = (value: unknown) => (value === null || value === undefined ? null : Number(value));
  return logouts.map((row: SqlRow) => ({
    target: row['target'],
    channel: row['channel'],
    issuedUntil: number(row['issued_until']),
    registeredUntil: number(row['registered_until']),
    iat: number(row['issued_at']),
  }));
}
