import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { escapePath } from '../database/session-tables.js';
import { tablePathOf } from './table-path.js';

/** By plain SQL, which no database reads the table for: TypeORM would copy it on SQLite. */
export class AddSessionLabel1796000000000 implements MigrationInterface {
  readonly name = 'AddSessionLabel1796000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const { type } = queryRunner.dataSource.options;
    // as all other texts: its table may have been converted by hand since
    const characters = type === 'mysql' || type === 'mariadb' ? 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : '';
    await this.alter(queryRunner, `ADD COLUMN label varchar(255) ${characters} NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await this.alter(queryRunner, 'DROP COLUMN label');
  }

  private async alter(queryRunner: QueryRunner, change: string): Promise<void> {
    const table = escapePath(queryRunner.dataSource, tablePathOf(queryRunner, 'oneid_session'));
    await queryRunner.query(`ALTER TABLE ${table} ${change}`);
  }
}
