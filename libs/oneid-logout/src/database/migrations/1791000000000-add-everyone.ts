import { createHash } from 'node:crypto';
import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm';
import { storeEveryCharacter } from './alter-table.js';
import { createIndex, dropIndex } from './table-index.js';
import { dataSourceOf, escapePath, tablePathOf } from './table-path.js';

const TABLE = 'oneid_client_target';
const SESSION = 'oneid_session';

const primary = (name: string, length: string): TableColumnOptions => {
  return { name, type: 'varchar', length, isPrimary: true };
};

/**
 * For logouts of everyone: the targets of the clients, also of those that have sessions already, and an index that finds
 * the newest session. The rows of the sessions stay as they are.
 */
export class AddEveryone1791000000000 implements MigrationInterface {
  readonly name = 'AddEveryone1791000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await this.createTable(queryRunner);
    await createIndex(queryRunner, SESSION, 'registered_at');
    await this.fill(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await dropIndex(queryRunner, SESSION, 'registered_at');
    await queryRunner.dropTable(tablePathOf(queryRunner, TABLE));
  }

  private async createTable(queryRunner: QueryRunner): Promise<void> {
    const columns = [primary('issuer', '255'), primary('client_id', '255'), primary('target', '64')];
    await queryRunner.createTable(new Table({ name: tablePathOf(queryRunner, TABLE), columns }), true);
    await storeEveryCharacter(queryRunner, TABLE);
  }

  private async fill(queryRunner: QueryRunner): Promise<void> {
    const table = this.path(queryRunner, TABLE);
    const sessions = this.path(queryRunner, SESSION);
    const clients = (await queryRunner.query(`SELECT DISTINCT issuer, client_id FROM ${sessions}`)) as {
      readonly issuer: string;
      readonly client_id: string;
    }[];
    // a try that was cut off may have filled it
    await queryRunner.query(`DELETE FROM ${table}`);
    const isPostgres = dataSourceOf(queryRunner).options.type === 'postgres';
    const values = isPostgres ? '($1, $2, $3)' : '(?, ?, ?)';
    const rows = clients.flatMap(({ issuer, client_id: clientId }) => rowsOf(issuer, clientId));
    // an issuer may have sessions with both of its spellings
    const distinct = new Map(rows.map((row) => [JSON.stringify(row), row]));
    for (const row of distinct.values()) {
      await queryRunner.query(`INSERT INTO ${table} (issuer, client_id, target) VALUES ${values}`, row);
    }
  }

  private path(queryRunner: QueryRunner, table: string): string {
    return escapePath(dataSourceOf(queryRunner), tablePathOf(queryRunner, table));
  }
}

/** As the library made targets when this migration was written, for the issuer without and with its trailing slash. */
function rowsOf(issuer: string, clientId: string): string[][] {
  const plain = issuer.replace(/\/$/, '');
  const targets = [
    ['issuer', plain, ''],
    ['client', plain, clientId],
  ].map((parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex'));
  return [plain, `${plain}/`].flatMap((spelling) => targets.map((target) => [spelling, clientId, target]));
}
