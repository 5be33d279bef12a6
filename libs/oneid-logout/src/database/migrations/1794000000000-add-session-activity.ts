import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { dataSourceOf, escapePath, tablePathOf } from './table-path.js';

const TABLE = 'oneid_session_activity';

/** Creates the table of the option `maxIdleSeconds`. It changes no other table, so it waits for no transaction. */
export class AddSessionActivity1794000000000 implements MigrationInterface {
  readonly name = 'AddSessionActivity1794000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const dataSource = dataSourceOf(queryRunner);
    const path = tablePathOf(queryRunner, TABLE);
    // MySQL and MariaDB commit the table at once: after a crash, it may exist without a migration record
    if (!(await queryRunner.hasTable(path))) {
      await queryRunner.createTable(
        new Table({
          name: path,
          columns: [
            { name: 'session_id', type: 'varchar', length: '64', isPrimary: true },
            { name: 'active_at', type: 'bigint' },
          ],
        }),
      );
    }
    const { type } = dataSource.options;
    if (type !== 'mysql' && type !== 'mariadb') return;
    // the same as the id of a session; otherwise MySQL does not use the index
    await queryRunner.query(
      `ALTER TABLE ${escapePath(dataSource, path)} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(tablePathOf(queryRunner, TABLE));
  }
}
