import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm';

const key = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '64' });
const name = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '255' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });

export class CreateOneIdLogoutTables1790000000000 implements MigrationInterface {
  readonly name = 'CreateOneIdLogoutTables1790000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(
      new Table({
        name: 'oneid_session',
        columns: [
          { ...key('id'), isPrimary: true },
          name('issuer'),
          name('client_id'),
          optional(name('sid')),
          name('sub'),
          time('issued_at'),
          time('registered_at'),
          time('expires_at'),
          key('target_session'),
          optional(key('target_sid')),
          key('target_sub'),
          key('id_token_hash'),
        ],
        indices: [
          { name: 'oneid_session_target_session', columnNames: ['target_session'] },
          { name: 'oneid_session_target_sid', columnNames: ['target_sid', 'registered_at'] },
          { name: 'oneid_session_target_sub', columnNames: ['target_sub', 'registered_at'] },
          { name: 'oneid_session_expires_at', columnNames: ['expires_at'] },
          { name: 'oneid_session_id_token_hash', columnNames: ['id_token_hash'], isUnique: true },
        ],
      }),
    );
    await queryRunner.createTable(
      new Table({
        name: 'oneid_logout',
        columns: [
          { ...key('id'), isPrimary: true },
          key('target'),
          { name: 'channel', type: 'varchar', length: '16' },
          optional(time('issued_until')),
          optional(time('registered_until')),
          optional(time('issued_at')),
          time('recorded_at'),
          time('keep_until'),
          optional(time('tokens_due_at')),
          optional(time('returned_at')),
        ],
        indices: [
          { name: 'oneid_logout_target', columnNames: ['target'] },
          { name: 'oneid_logout_keep_until', columnNames: ['keep_until'] },
          { name: 'oneid_logout_tokens_due_at', columnNames: ['tokens_due_at'] },
        ],
      }),
    );
    await queryRunner.createTable(
      new Table({
        name: 'oneid_session_tokens',
        columns: [
          { ...key('session_id'), isPrimary: true },
          optional({ name: 'id_token', type: 'text' }),
          optional({ name: 'refresh_token', type: 'text' }),
        ],
      }),
    );
    await this.storeEveryCharacter(queryRunner);
  }

  /** MySQL's default may be a character set that knows few characters, and a collation that takes different names for one. */
  private async storeEveryCharacter(queryRunner: QueryRunner): Promise<void> {
    const { type } = queryRunner.dataSource.options;
    if (type !== 'mysql' && type !== 'mariadb') return;
    await queryRunner.query('ALTER TABLE oneid_session CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('oneid_session_tokens');
    await queryRunner.dropTable('oneid_logout');
    await queryRunner.dropTable('oneid_session');
  }
}
