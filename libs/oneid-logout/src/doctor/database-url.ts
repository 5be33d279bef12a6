import { type SessionDatabaseOptions } from '../database/data-source-options.js';

/** What a database URL says: TypeORM's options, or why the doctor can't use it. */
export interface DatabaseUrl {
  readonly database?: SessionDatabaseOptions;
  /** The passwords that no output may show. */
  readonly secrets: readonly string[];
  /** A sentence without any part of the URL, which may contain a password. */
  readonly fault?: string;
}

const UNKNOWN: DatabaseUrl = {
  secrets: [],
  fault:
    '--database-url must be postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded), ' +
    'or sqlite:FILE.',
};

const MALFORMED: DatabaseUrl = {
  secrets: [],
  fault:
    'The user or the password in --database-url has a % that begins no percent-encoded character: write %25 for a %.',
};

/** Reads a database URL: `postgres://…`, `mysql://…`, `mariadb://…`, `sqlite:FILE` or a file. */
export function databaseOf(
  url: string,
  { schema, entityPrefix }: { readonly schema?: string | undefined; readonly entityPrefix?: string | undefined },
): DatabaseUrl {
  // a drive of Windows has one letter; a URL of a database that the library does not know is no file either
  const [, scheme = 'sqlite', rest = url] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  const prefix = entityPrefix === undefined ? {} : { entityPrefix };
  if (scheme === 'sqlite') {
    const isFile = rest !== '' && !rest.startsWith('//') && rest !== ':memory:';
    return isFile ? { database: { type: 'better-sqlite3', database: rest, ...prefix }, secrets: [] } : UNKNOWN;
  }
  if (!['postgres', 'postgresql', 'mysql', 'mariadb'].includes(scheme)) return UNKNOWN;
  if (!rest.startsWith('//') || rest.length === 2 || !URL.canParse(url)) return UNKNOWN;
  const { username, password } = new URL(url);
  // TypeORM decodes both
  if ([username, password].some((part) => decoded(part) === undefined)) return MALFORMED;
  const secrets = passwordsOf(url);
  return scheme === 'mysql' || scheme === 'mariadb'
    ? { database: { type: scheme, url, ...prefix }, secrets }
    : { database: { type: 'postgres', url, ...(schema !== undefined && { schema }), ...prefix }, secrets };
}

/** The password of the URL in each form in which a driver may write it. */
function passwordsOf(url: string): string[] {
  const { password, searchParams } = new URL(url);
  const written = [password, ...searchParams.getAll('password'), ...searchParams.getAll('sslpassword')];
  return [url, ...written, ...written.map((secret) => decoded(secret) ?? '')].filter((secret) => secret !== '');
}

/** @returns undefined for a text with a `%` that begins no percent-encoded character */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
