import { parseArgs } from 'node:util';
import { isWebUrl } from '../option-checks.js';
import { LEAST_SECRET_LENGTH } from '../provider/client-secret-keys.js';
import { ASYMMETRIC_ALGORITHMS } from '../provider/signature-algorithms.js';
import { databaseOf, type DatabaseUrl } from './database-url.js';
import { type DoctorSettings } from './settings.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line asks for. */
export type Order =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'examine';
      readonly settings: Omit<DoctorSettings, 'idToken'>;
      readonly json: boolean;
      /** The file with an ID token, or `-` for the standard input; undefined without any. */
      readonly idTokenFile: string | undefined;
      /** The ID token from the environment. */
      readonly idToken: string | undefined;
      /** Texts that no output may show. */
      readonly secrets: readonly string[];
    };

/** The command line or the environment is wrong: exit code 2. The message is one or more sentences. */
export class UsageError extends Error {}

/** A setting with a value: its variable in the environment, and its line in the help. */
interface Setting {
  readonly variable?: string;
  readonly value: string;
  readonly help: string;
}

const SETTINGS = {
  issuer: { variable: 'ONEID_ISSUER', value: 'URL', help: "OneID's issuer, as in the option issuer" },
  'client-id': { variable: 'ONEID_CLIENT_ID', value: 'ID', help: "the app's client id at OneID" },
  'base-url': {
    variable: 'BASE_URL',
    value: 'URL',
    help: "the app's public URL, with its global prefix if it has one",
  },
  'post-logout-redirect-uri': {
    ...{ variable: 'ONEID_POST_LOGOUT_REDIRECT_URI', value: 'URL' },
    help: 'by default BASE-URL/logout/callback',
  },
  'database-url': {
    ...{ variable: 'DATABASE_URL', value: 'URL' },
    help: 'postgres://…, mysql://…, mariadb://…, or the file of SQLite',
  },
  schema: { variable: 'DATABASE_SCHEMA', value: 'NAME', help: 'the schema of the tables (PostgreSQL)' },
  'entity-prefix': { variable: 'DATABASE_ENTITY_PREFIX', value: 'TEXT', help: "TypeORM's entityPrefix" },
  'id-token': { value: 'FILE', help: 'a file with an ID token, - for the standard input; or set ONEID_ID_TOKEN' },
  alg: { variable: 'ONEID_ID_TOKEN_ALG', value: 'ALG', help: 'the option idTokenSignedResponseAlg, by default RS256' },
  'clock-tolerance-seconds': { value: 'N', help: 'the option clockToleranceSeconds, by default 30' },
  'timeout-seconds': { value: 'N', help: 'how long to wait for each answer, by default 10' },
} as const satisfies Record<string, Setting>;

const SWITCHES = {
  'allow-insecure-requests': 'OneID may have http URLs, or set ONEID_ALLOW_INSECURE_REQUESTS=true',
  json: 'prints the result as JSON',
  help: 'prints this text',
} as const;

type SettingName = keyof typeof SETTINGS;

export const HELP = `npx nestjs-oneid-logout doctor [settings]

Checks what an app with nestjs-oneid-logout needs for a logout: OneID's configuration and keys, the clocks, the
database, and the app's three URIs, as OneID calls them. It changes nothing.

${helpLines().join('\n')}

Exit code: 0 all is well (warnings allowed), 1 a fault was found, 2 the command line is wrong.
`;

function helpLines(): string[] {
  const settings = Object.entries<Setting>(SETTINGS).map(([name, { variable, value, help }]) => {
    return [`--${name} ${value}`, variable === undefined ? help : `${help} [${variable}]`];
  });
  const switches = Object.entries(SWITCHES).map(([name, help]) => [`--${name}`, help]);
  return [...settings, ...switches].map(([flag = '', help = '']) => `  ${flag.padEnd(30)} ${help}`);
}

/**
 * @param args without the name of the program
 * @throws {UsageError} never with a value that may be secret
 */
export function parseOrder(args: readonly string[], environment: Environment): Order {
  const { values, positionals } = parsed(args);
  if (values['help'] === true) return { kind: 'help' };
  if (positionals.join() !== 'doctor') {
    const [command, ...values] = positionals;
    if (command === undefined) throw new UsageError('The only command is doctor, but the command line has no command.');
    if (command !== 'doctor') throw new UsageError('The only command is doctor, but the command line has another one.');
    // such a value may be a URL with a password
    throw new UsageError(
      `Give each value a flag, such as --database-url URL. Values without a flag: ${values.length}.`,
    );
  }
  const read = (name: SettingName): string | undefined => {
    const { variable }: Setting = SETTINGS[name];
    const value = values[name] ?? (variable === undefined ? undefined : environment[variable]);
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  };
  const faults: string[] = [];
  const required = (name: SettingName & ('issuer' | 'client-id' | 'base-url')): string => {
    const value = read(name);
    if (value === undefined) faults.push(`Give --${name}, or set ${SETTINGS[name].variable}.`);
    return value ?? '';
  };
  const url = (name: SettingName, value: string): string => {
    if (value !== '' && (!isWebUrl(value) || value.includes('?'))) {
      faults.push(`--${name} must be an http(s) URL without query, fragment or userinfo.`);
    }
    return value;
  };
  const seconds = (name: SettingName, fallback: number, least: number): number => {
    const value = read(name) ?? String(fallback);
    if (!/^\d{1,3}$/.test(value) || Number(value) < least) {
      faults.push(`--${name} must be a whole number of seconds, ${least} to 999.`);
    }
    return Number(value);
  };
  const baseUrl = url('base-url', required('base-url')).replace(/\/+$/, '');
  const idTokenSignedResponseAlg = read('alg') ?? 'RS256';
  const algorithms = [...ASYMMETRIC_ALGORITHMS, ...Object.keys(LEAST_SECRET_LENGTH)];
  if (!algorithms.includes(idTokenSignedResponseAlg)) faults.push(`--alg must be one of ${algorithms.join(', ')}.`);
  const databaseUrl = read('database-url');
  const given: DatabaseUrl =
    databaseUrl === undefined
      ? { secrets: [] }
      : databaseOf(databaseUrl, { schema: read('schema'), entityPrefix: read('entity-prefix') });
  const { database, secrets, fault } = given;
  if (fault !== undefined) faults.push(fault);
  const allowInsecureRequests =
    values['allow-insecure-requests'] === true || environment['ONEID_ALLOW_INSECURE_REQUESTS'] === 'true';
  const settings = {
    issuer: url('issuer', required('issuer')),
    clientId: required('client-id'),
    baseUrl,
    postLogoutRedirectUri:
      url('post-logout-redirect-uri', read('post-logout-redirect-uri') ?? '') || `${baseUrl}/logout/callback`,
    idTokenSignedResponseAlg,
    allowInsecureRequests,
    clockToleranceSeconds: seconds('clock-tolerance-seconds', 30, 0),
    timeoutMs: seconds('timeout-seconds', 10, 1) * 1000,
    database,
  };
  if (faults.length > 0) throw new UsageError(faults.join('\n'));
  const idToken = environment['ONEID_ID_TOKEN']?.trim() || undefined;
  return { kind: 'examine', settings, json: values['json'] === true, idTokenFile: read('id-token'), idToken, secrets };
}

function parsed(args: readonly string[]) {
  const strings = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, { type: 'string' as const }]));
  const switches = Object.fromEntries(Object.keys(SWITCHES).map((name) => [name, { type: 'boolean' as const }]));
  try {
    return parseArgs({ args: [...args], options: { ...strings, ...switches }, allowPositionals: true });
  } catch (error) {
    // Node's sentence names the flag, and never its value; the advice after it is about another case
    throw new UsageError(`${(error as Error).message.replace(/\. .*$/s, '')}.`);
  }
}
