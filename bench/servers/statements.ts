import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';

let sent = 0;

/** How many statements this process has sent to its database since {@link countStatements}. */
export function sentStatements(): number {
  return sent;
}

/**
 * Counts each statement that the driver sends, also those of timers in the background. Call it before the driver opens
 * a connection.
 */
export async function countStatements(type: SessionDatabaseOptions['type']): Promise<void> {
  if (type === 'postgres') {
    const { default: pg } = await import('pg');
    countCalls(pg.Client.prototype, 'query');
  } else if (type === 'better-sqlite3') {
    const { default: Sqlite } = await import('better-sqlite3');
    const database = new Sqlite(':memory:');
    const statement = Object.getPrototypeOf(database.prepare('SELECT 1')) as object;
    for (const method of ['all', 'get', 'run']) countCalls(statement, method);
    database.close();
  } else {
    const { default: mysql } = await import('mysql2');
    // the connections of a pool inherit from this prototype
    const { prototype } = (mysql as unknown as { readonly Connection: { readonly prototype: object } }).Connection;
    for (const method of ['query', 'execute']) countCalls(prototype, method);
  }
}

function countCalls(prototype: object, method: string): void {
  const original = Reflect.get(prototype, method) as (...args: unknown[]) => unknown;
  Object.defineProperty(prototype, method, {
    configurable: true,
    writable: true,
    value: function (this: unknown, ...args: unknown[]) {
      sent += 1;
      return original.apply(this, args);
    },
  });
}
