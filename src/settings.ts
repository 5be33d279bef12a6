import { randomBytes } from 'node:crypto';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { databaseOf } from './database.js';

/** This app's registration at a OneID. */
export interface OneIdRegistration {
  readonly issuer: string;
  readonly clientId: string;
  /** Absent for a public client. */
  readonly clientSecret?: string;
  /** The `aud` that access tokens for this app's API carry. */
  readonly apiAudience: string;
  /** URL of OneID's account page; absent when unknown. */
  readonly accountUri?: string;
  /** The scopes to ask for, separated by spaces. Absent: those of OneID. */
  readonly scope?: string;
  /** OneID's URLs may be http on any host: the operator trusts the network between this app and OneID. */
  readonly allowInsecureRequests?: true;
}

/** How people and browsers tell this app from the second app, which runs on the same host. */
export interface AppIdentity {
  readonly name: string;
  /** Prefix of the cookie names. All ports of a host share their cookies, so each app needs its own prefix. */
  readonly cookiePrefix: string;
  readonly accent: 'green' | 'violet';
}

/** The app's settings, validated. */
export abstract class Settings {
  abstract readonly port: number;
  /** The public origin, without a trailing slash. */
  abstract readonly baseUrl: string;
  /** Absent: the app runs the embedded OneID. */
  abstract readonly oneId?: OneIdRegistration | undefined;
  abstract readonly database: SessionDatabaseOptions;
  /** The first secret encrypts; all secrets decrypt. */
  abstract readonly secrets: readonly string[];
  /** Greatest age of the guard's data, in milliseconds. Absent: the guard asks the database for every request. */
  abstract readonly maxStalenessMs?: number | undefined;
  /** The Redis for nudges between replicas. Absent: PostgreSQL nudges them, when it is the database. */
  abstract readonly redisUrl?: string | undefined;
  /** As in the library's options. Absent: after an outage, the app keeps all sessions. */
  abstract readonly reconfirmAfterOutageSeconds?: number | undefined;
  abstract readonly identity: AppIdentity;
}

/** All faults of the environment in one message, without the values, because they may be secret. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly faults: readonly string[]) {
    super(`The app can't use these settings:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
  }
}

/** @throws {SettingsError} when a variable is invalid or missing */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const variables = new Variables(env);
  const port = variables.read('PORT', asPort) ?? 3000;
  const baseUrl = variables.read('BASE_URL', asOrigin) ?? `http://127.0.0.1:${port}`;
  const database = readDatabaseUrl(variables);
  const oneId = readOneId(variables, baseUrl);
  const secrets = variables.read('APP_SECRETS', asSecrets);
  const maxStalenessMs = variables.read('LIVENESS_MAX_STALENESS_MS', asStaleness);
  const redisUrl = variables.read('REDIS_URL', asRedisUrl);
  const reconfirm = variables.read('RECONFIRM_AFTER_OUTAGE_SECONDS', asOutage) ?? DEFAULT_OUTAGE;
  const name = variables.read('APP_NAME', String) ?? 'Reference app';

  if (!variables.has('ONEID_ISSUER') && env['NODE_ENV'] === 'production') {
    variables.fault('ONEID_ISSUER must be set in production: the password of the embedded OneID is public');
  }
  if (variables.has('ONEID_ISSUER') && !variables.has('APP_SECRETS')) {
    // random secrets change at a restart: older refresh tokens can't be revoked, and replicas can't share sign-ins
    variables.fault('APP_SECRETS must be set when ONEID_ISSUER is set');
  }
  if (variables.has('REDIS_URL') && !variables.has('LIVENESS_MAX_STALENESS_MS')) {
    variables.fault('LIVENESS_MAX_STALENESS_MS must be set when REDIS_URL is set: without it, the app sends no nudges');
  }
  if (variables.faults.length > 0) throw new SettingsError(variables.faults);
  return {
    ...{ port, baseUrl, oneId, maxStalenessMs, redisUrl },
    // the embedded OneID forgets all logins when it stops, so sessions need not outlive the process
    database: database ?? databaseOf(oneId === undefined ? 'sqlite::memory:' : undefined),
    secrets: secrets ?? [randomBytes(32).toString('base64url')],
    reconfirmAfterOutageSeconds: reconfirm === 0 ? undefined : reconfirm,
    identity: { name, cookiePrefix: 'app', accent: 'green' },
  };
}

/**
 * Reads the database settings only, for commands that need no other setting.
 *
 * @throws {SettingsError} when `DATABASE_URL` is invalid
 */
export function readDatabase(env: Readonly<Record<string, string | undefined>>): SessionDatabaseOptions {
  const variables = new Variables(env);
  const database = readDatabaseUrl(variables);
  if (variables.faults.length > 0) throw new SettingsError(variables.faults);
  return database ?? databaseOf();
}

function readDatabaseUrl(variables: Variables): SessionDatabaseOptions | undefined {
  return variables.read('DATABASE_URL', databaseOf);
}

const ONLY_WITH_ISSUER = [
  ...['ONEID_CLIENT_ID', 'ONEID_CLIENT_SECRET', 'API_AUDIENCE', 'ONEID_SCOPE'],
  'ONEID_ALLOW_INSECURE_REQUESTS',
];

function readOneId(variables: Variables, baseUrl: string): OneIdRegistration | undefined {
  const allowInsecureRequests = variables.read('ONEID_ALLOW_INSECURE_REQUESTS', asTrue);
  const issuer = variables.read('ONEID_ISSUER', allowInsecureRequests === true ? asInsecureIssuer : asIssuer);
  const clientId = variables.read('ONEID_CLIENT_ID', String);
  const clientSecret = variables.read('ONEID_CLIENT_SECRET', String);
  const apiAudience = variables.read('API_AUDIENCE', String) ?? `${baseUrl}/api`;
  const scope = variables.read('ONEID_SCOPE', asScope);

  if (!variables.has('ONEID_ISSUER')) {
    for (const name of ONLY_WITH_ISSUER) {
      if (variables.has(name)) variables.fault(`${name} is set, but ONEID_ISSUER is not`);
    }
    return undefined;
  }
  if (clientId === undefined) variables.fault('ONEID_CLIENT_ID must be set when ONEID_ISSUER is set');
  if (clientId === apiAudience) {
    // an ID token has the client id as its `aud`, and must never pass as an access token
    variables.fault('API_AUDIENCE must not be the client id');
  }
  if (issuer === undefined || clientId === undefined) return undefined;
  return {
    ...{ issuer, clientId, apiAudience },
    ...(clientSecret !== undefined && { clientSecret }),
    ...(scope !== undefined && { scope }),
    ...(allowInsecureRequests && { allowInsecureRequests }),
  };
}

/** Environment variables. An empty variable counts as not set. */
class Variables {
  readonly faults: string[] = [];

  constructor(private readonly env: Readonly<Record<string, string | undefined>>) {}

  has(name: string): boolean {
    return (this.env[name] ?? '').trim() !== '';
  }

  /** @param parse throws an error whose message says which values are valid */
  read<T>(name: string, parse: (value: string) => T): T | undefined {
    if (!this.has(name)) return undefined;
    try {
      return parse((this.env[name] ?? '').trim());
    } catch (error) {
      this.fault(`${name} ${error instanceof Error ? error.message : 'is invalid'}`);
      return undefined;
    }
  }

  fault(text: string): void {
    this.faults.push(text);
  }
}

function asPort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port < 1 || port > 65_535) throw new Error('must be a port, 1 to 65535');
  return port;
}

function asStaleness(value: string): number {
  const staleness = Number(value);
  if (!/^\d+$/.test(value) || staleness < 50 || staleness > 60_000) throw new Error('must be 50 to 60000');
  return staleness;
}

/** Seconds. */
const DEFAULT_OUTAGE = 30;

function asOutage(value: string): number {
  const seconds = Number(value);
  if (!/^\d+$/.test(value) || (seconds !== 0 && (seconds < 5 || seconds > 86_400)))
    throw new Error('must be 5 to 86400, or 0 to keep all sessions');
  return seconds;
}

function asRedisUrl(value: string): string {
  if (!/^rediss?:\/\//.test(value) || !URL.canParse(value)) throw new Error('must be redis://… or rediss://…');
  return value;
}

function asOrigin(value: string): string {
  const url = asSecureUrl(value);
  if (url.pathname !== '/') throw new Error('must have no path: the app is at the root of its origin');
  return url.origin;
}

function asIssuer(value: string): string {
  const url = asWebUrl(value);
  if (!isSecure(url)) {
    throw new Error(
      'must be an https URL (http only on loopback). If you trust the network to this host, set ONEID_ALLOW_INSECURE_REQUESTS=true',
    );
  }
  return value;
}

function asInsecureIssuer(value: string): string {
  asWebUrl(value);
  return value;
}

function asSecureUrl(value: string): URL {
  const url = asWebUrl(value);
  if (!isSecure(url)) throw new Error(NOT_A_SECURE_URL);
  return url;
}

const NOT_A_SECURE_URL = 'must be an https URL without query, fragment or userinfo (http only on loopback)';

function asWebUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!/^https?:$/.test(url?.protocol ?? '') || url === undefined) throw new Error(NOT_A_SECURE_URL);
  if (url.username + url.password + url.search + url.hash !== '') throw new Error(NOT_A_SECURE_URL);
  return url;
}

/** The same rule as the library's. A browser, too, takes all these hosts for its own machine (W3C Secure Contexts §3.1). */
function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}

function asTrue(value: string): true {
  if (value !== 'true') throw new Error('must be true, or not set');
  return true;
}

/** Scopes as in RFC 6749 §3.3. */
function asScope(value: string): string {
  const scopes = value.split(/ +/);
  if (!scopes.includes('openid')) throw new Error('must be scopes separated by spaces, with openid among them');
  if (scopes.some((scope) => !/^[!#-[\]-~]+$/.test(scope))) throw new Error('has a scope with an invalid character');
  return scopes.join(' ');
}

function asSecrets(value: string): string[] {
  const secrets = value.split(',').map((secret) => secret.trim());
  if (secrets.some((secret) => secret.length < 32)) {
    throw new Error('must be secrets of 32 characters or more, separated by commas');
  }
  return secrets;
}
