import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterTable } from './alter-table.js';
import { tablePathOf } from './table-path.js';

/** By plain SQL, which no database reads the table for: TypeORM would copy it on SQLite. */
export class AddSessionLabel1796000000000 implements MigrationInterface {
  readonly name = 'AddSessionLabel1796000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    if (await this.hasLabel(queryRunner)) return;
    const { type } = queryRunner.dataSource.options;
    // as all other texts: its table may have been converted by hand since
    const characters = type === 'mysql' || type === 'mariadb' ? 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : '';
    await alterTable(queryRunner, 'oneid_session', `ADD COLUMN label varchar(255) ${characters} NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    if (await this.hasLabel(queryRunner)) await alterTable(queryRunner, 'oneid_session', 'DROP COLUMN label');
  }

  /** MySQL and MariaDB commit a change of a table at once: a crash may have come before it was noted as done. */
  private hasLabel(queryRunner: QueryRunner): Promise<boolean> {
    return queryRunner.hasColumn(tablePathOf(queryRunner, 'oneid_session'), 'label');
  }
}
