import { type DataSource } from 'typeorm';
import { type SqlRow } from './sql.js';

/** The part of a `pg` client that the library uses. */
export interface PostgresClient {
  /** Absent with the native driver. */
  readonly connection?: { readonly stream?: { destroy(): void } };
  connect(): Promise<unknown>;
  end(): Promise<void>;
  query(statement: string | PostgresStatement): Promise<{
    readonly rows: readonly SqlRow[];
    readonly rowCount: number | null;
  }>;
  on(event: 'notification', listener: (message: { readonly payload?: string }) => void): void;
  on(event: 'error' | 'end', listener: (error: unknown) => void): void;
  removeListener(event: 'error', listener: (error: unknown) => void): void;
}

export interface PostgresStatement {
  /** With a name, the server keeps the parsed statement for the next time. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/** The part of TypeORM's driver for PostgreSQL that the library uses: the package `pg`, and its pool. */
interface PostgresDriver {
  readonly postgres: { readonly Client: new (options: object) => PostgresClient };
  readonly master: { readonly options: { readonly password?: unknown; readonly max: number } };
  obtainMasterConnection(): Promise<[PostgresClient, (broken?: unknown) => void]>;
}

function driverOf(dataSource: DataSource): PostgresDriver {
  return dataSource.driver as unknown as PostgresDriver;
}

/** Takes a client from the pool. @returns the client, and a function that gives it back, or drops it if it is broken */
export function clientFromPool(dataSource: DataSource): Promise<[PostgresClient, (broken?: unknown) => void]> {
  return driverOf(dataSource).obtainMasterConnection();
}

/** How many clients the pool has at most. */
export function poolSizeOf(dataSource: DataSource): number {
  return driverOf(dataSource).master.options.max;
}

/** Creates a client outside the pool, so that statements keep all connections of the pool. It is not connected yet. */
export function clientBesidePool(dataSource: DataSource, timeoutMs: number): PostgresClient {
  const { postgres, master } = driverOf(dataSource);
  return new postgres.Client({
    ...master.options,
    // the pool makes this property non-enumerable, so the spread leaves it out
    password: master.options.password,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    keepAlive: true,
  });
}

/** Closes the client's connection without a goodbye message, because the server may be unreachable. */
export function destroyClient(client: PostgresClient): void {
  if (client.connection === undefined) void client.end().catch(() => undefined);
  else client.connection.stream?.destroy();
}
