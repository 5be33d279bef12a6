import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { storeEveryCharacter } from './alter-table.js';
import { tablePathOf } from './table-path.js';

const TABLE = 'oneid_session_activity';

/** Creates the table of the option `maxIdleSeconds`. It changes no other table, so it waits for no transaction. */
export class AddSessionActivity1794000000000 implements MigrationInterface {
  readonly name = 'AddSessionActivity1794000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
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
    await storeEveryCharacter(queryRunner, TABLE);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(tablePathOf(queryRunner, TABLE));
  }
}
