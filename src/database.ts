import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';

export const DEFAULT_DATABASE_URL = 'sqlite:oneid-logout.sqlite';

/**
 * TypeORM's options for a `DATABASE_URL`: `sqlite:FILE`, `postgres://…`, `mysql://…` or `mariadb://…`.
 *
 * @throws {Error} for any other URL; the message does not repeat the URL, because a URL may hold a password
 */
export function databaseOf(url = DEFAULT_DATABASE_URL): SessionDatabaseOptions {
  const [scheme = ''] = url.split(':', 1);
  const rest = url.slice(scheme.length + 1);
  switch (scheme) {
    case 'sqlite':
      if (rest === '' || rest.startsWith('//')) break;
      return { type: 'better-sqlite3', database: rest };
    case 'postgres':
    case 'postgresql':
      if (!isServerUrl(rest, url)) break;
      return { type: 'postgres', url };
    case 'mysql':
    case 'mariadb':
      if (!isServerUrl(rest, url)) break;
      return { type: scheme, url };
  }
  throw new Error(
    'must be sqlite:FILE, postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded)',
  );
}

/** Accepts a URL with a host, and a URL for the local socket, such as `postgres:///app`. */
function isServerUrl(rest: string, url: string): boolean {
  return rest.startsWith('//') && rest.length > 2 && URL.canParse(url);
}
