import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterTable } from './alter-table.js';
import { tablePathOf } from './table-path.js';

/** Uses plain SQL, so that no database reads the rows: TypeORM would copy the whole table on SQLite. */
export class AddSessionLabel1796000000000 implements MigrationInterface {
  readonly name = 'AddSessionLabel1796000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    if (await this.hasLabel(queryRunner)) return;
    const { type } = queryRunner.dataSource.options;
    // as in the table's other columns: the operator may have changed the table's default since
    const characters = type === 'mysql' || type === 'mariadb' ? 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : '';
    await alterTable(queryRunner, 'oneid_session', `ADD COLUMN label varchar(255) ${characters} NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    if (await this.hasLabel(queryRunner)) await alterTable(queryRunner, 'oneid_session', 'DROP COLUMN label');
  }

  /** MySQL and MariaDB commit ALTER TABLE at once: after a crash, the column may exist without a migration record. */
  private hasLabel(queryRunner: QueryRunner): Promise<boolean> {
    return queryRunner.hasColumn(tablePathOf(queryRunner, 'oneid_session'), 'label');
  }
}
