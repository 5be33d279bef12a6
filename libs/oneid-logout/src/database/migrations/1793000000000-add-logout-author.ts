import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterTable, EVERY_CHARACTER } from './alter-table.js';
import { dataSourceOf, tablePathOf } from './table-path.js';

const TABLE = 'oneid_logout';
const COLUMNS = ['author', 'reason'] as const;

/** For logouts by an administrator: who ended the sessions, and why. */
export class AddLogoutAuthor1793000000000 implements MigrationInterface {
  readonly name = 'AddLogoutAuthor1793000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const column of COLUMNS) {
      if (await queryRunner.hasColumn(tablePathOf(queryRunner, TABLE), column)) continue;
      await alterTable(queryRunner, TABLE, `ADD COLUMN ${column} varchar(255)${this.characterSet(queryRunner)} NULL`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const column of COLUMNS) {
      if (!(await queryRunner.hasColumn(tablePathOf(queryRunner, TABLE), column))) continue;
      await alterTable(queryRunner, TABLE, `DROP COLUMN ${column}`);
    }
  }

  /** As the other columns of the table: MySQL's default character set may lack characters. */
  private characterSet(queryRunner: QueryRunner): string {
    const { type } = dataSourceOf(queryRunner).options;
    return type === 'mysql' || type === 'mariadb' ? ` ${EVERY_CHARACTER}` : '';
  }
}
