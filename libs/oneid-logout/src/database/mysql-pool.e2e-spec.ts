import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Connection, createConnection } from 'mysql2';
import { type DataSource } from 'typeorm';
import { MysqlPool } from './mysql-pool.js';
import { sqlDialects } from './sql-dialect.js';

describe('MysqlPool', () => {
  let server: Server;
  let accepted: Socket[];
  beforeEach(async () => {
    accepted = [];
    // it accepts connections, and never answers
    server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const socket of accepted) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  /** The part of a data source that the pool uses, with one connection of mysql2. */
  const dataSourceOf = (connection: Connection) =>
    ({
      createQueryRunner: () => ({ connect: () => Promise.resolve(connection), release: () => Promise.resolve() }),
    }) as unknown as DataSource;

  it('S3: closes a connection whose server does not answer, and waits for no goodbye', async () => {
    const { port } = server.address() as AddressInfo;
    const connection = createConnection({ host: '127.0.0.1', port });
    const { stream } = connection as Connection & { readonly stream: Socket };
    await once(stream, 'connect');
    const borrowed = await new MysqlPool(dataSourceOf(connection), sqlDialects.mysql).borrow();
    borrowed.destroy();
    expect(stream.destroyed).toBe(true);
    await once(stream, 'close');
    await borrowed.release();
  });
});
