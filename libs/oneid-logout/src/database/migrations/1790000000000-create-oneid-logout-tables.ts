import {
  type MigrationInterface,
  type QueryRunner,
  Table,
  type TableColumnOptions,
  type TableIndexOptions,
} from 'typeorm';
import { EVERY_CHARACTER } from './alter-table.js';
import { dataSourceOf, tablePathOf } from './table-path.js';

const key = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '64' });
const name = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '255' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const primary = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isPrimary: true });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });

const index = (...columnNames: string[]): TableIndexOptions => ({ columnNames });

const TABLES = [
  ...['oneid_session', 'oneid_session_alias', 'oneid_logout', 'oneid_session_tokens', 'oneid_replica'],
  'oneid_login_user',
];

/** Creates the tables with the `schema` and the `entityPrefix` of the data source's options. */
export class CreateOneIdLogoutTables1790000000000 implements MigrationInterface {
  readonly name = 'CreateOneIdLogoutTables1790000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await this.create(
      queryRunner,
      'oneid_session',
      [
        primary(key('id')),
        name('issuer'),
        name('client_id'),
        optional(name('sid')),
        name('sub'),
        time('issued_at'),
        optional(time('auth_time')),
        time('registered_at'),
        time('expires_at'),
        key('target_session'),
        key('target_sid'),
        key('target_sub'),
        key('id_token_hash'),
        optional(name('label')),
      ],
      [
        index('target_session'),
        index('target_sid', 'registered_at'),
        index('target_sub', 'registered_at'),
        index('expires_at'),
        { ...index('id_token_hash'), isUnique: true },
      ],
    );
    await this.create(
      queryRunner,
      'oneid_session_alias',
      [primary(key('token_hash')), key('session_id')],
      [index('session_id')],
    );
    await this.create(
      queryRunner,
      'oneid_logout',
      [
        primary(key('id')),
        key('target'),
        { name: 'channel', type: 'varchar', length: '16' },
        optional(time('issued_until')),
        optional(time('registered_until')),
        optional(time('authenticated_until')),
        optional(time('issued_at')),
        time('recorded_at'),
        time('changed_at'),
        time('keep_until'),
        optional(time('revocation_due_at')),
        optional(time('leased_until')),
        optional(time('returned_at')),
      ],
      [
        index('target', 'registered_until', 'issued_until', 'authenticated_until'),
        index('keep_until'),
        index('revocation_due_at'),
        index('changed_at'),
      ],
    );
    await this.create(
      queryRunner,
      'oneid_session_tokens',
      [
        primary(key('session_id')),
        optional({ name: 'id_token', type: 'text' }),
        optional({ name: 'refresh_token', type: 'text' }),
        optional(time('revoked_at')),
      ],
      [],
    );
    await this.create(
      queryRunner,
      'oneid_replica',
      [primary(key('id')), { name: 'max_staleness', type: 'integer' }, time('seen_at')],
      [],
    );
    await this.create(
      queryRunner,
      'oneid_login_user',
      [primary(key('target_sid')), primary(key('target_sub')), time('keep_until')],
      [index('target_sub', 'keep_until'), index('keep_until')],
    );
    await this.storeEveryCharacter(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES.toReversed()) {
      await queryRunner.dropTable(tablePathOf(queryRunner, table));
    }
  }

  private async create(
    queryRunner: QueryRunner,
    table: string,
    columns: TableColumnOptions[],
    indices: TableIndexOptions[],
  ): Promise<void> {
    const path = tablePathOf(queryRunner, table);
    const { namingStrategy } = dataSourceOf(queryRunner);
    const named = indices.map((given) => ({ ...given, name: namingStrategy.indexName(path, given.columnNames) }));
    await queryRunner.createTable(new Table({ name: path, columns, indices: named }));
  }

  /**
   * MySQL's default character set may lack characters, and its default collation may treat different names as equal.
   * Columns that are compared need the same character set and collation; otherwise MySQL does not use the index.
   */
  private async storeEveryCharacter(queryRunner: QueryRunner): Promise<void> {
    const { driver, options } = dataSourceOf(queryRunner);
    if (options.type !== 'mysql' && options.type !== 'mariadb') return;
    const to = EVERY_CHARACTER;
    const alter = (table: string, change: string) =>
      queryRunner.query(`ALTER TABLE ${driver.escape(tablePathOf(queryRunner, table))} ${change}`);
    await alter('oneid_session', `CONVERT TO ${to}`);
    await alter('oneid_session_alias', `CONVERT TO ${to}`);
    await alter('oneid_logout', `CONVERT TO ${to}`);
    await alter('oneid_replica', `CONVERT TO ${to}`);
    await alter('oneid_login_user', `CONVERT TO ${to}`);
    // only the key: the tokens are ASCII, and converting the table would give them larger column types
    await alter('oneid_session_tokens', `MODIFY session_id varchar(64) ${to} NOT NULL`);
  }
}
