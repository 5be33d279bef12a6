import { type SessionDatabaseOptions } from '../database/data-source-options.js';

/**
 * TypeORM's options for a database URL: `postgres://…`, `mysql://…`, `mariadb://…`, `sqlite:FILE` or a file.
 *
 * @returns the options, and the passwords that no output may show; undefined for any other URL
 */
export function databaseOf(
  url: string,
  { schema, entityPrefix }: { readonly schema?: string | undefined; readonly entityPrefix?: string | undefined },
): { readonly database: SessionDatabaseOptions; readonly secrets: readonly string[] } | undefined {
  // a drive of Windows has one letter; a URL of a database that the library does not know is no file either
  const [, scheme = 'sqlite', rest = url] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  const prefix = entityPrefix === undefined ? {} : { entityPrefix };
  if (scheme === 'sqlite') {
    const isFile = rest !== '' && !rest.startsWith('//') && rest !== ':memory:';
    return isFile ? { database: { type: 'better-sqlite3', database: rest, ...prefix }, secrets: [] } : undefined;
  }
  if (!rest.startsWith('//') || rest.length === 2 || !URL.canParse(url)) return undefined;
  const secrets = passwordsOf(url);
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return { database: { type: 'postgres', url, ...(schema !== undefined && { schema }), ...prefix }, secrets };
    case 'mysql':
    case 'mariadb':
      return { database: { type: scheme, url, ...prefix }, secrets };
    default:
      return undefined;
  }
}

/** The password of the URL in each form in which a driver may write it. */
function passwordsOf(url: string): string[] {
  const { password, searchParams } = new URL(url);
  const written = [password, ...searchParams.getAll('password'), ...searchParams.getAll('sslpassword')];
  return [url, ...written, ...written.map(decoded)].filter((secret) => secret !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
