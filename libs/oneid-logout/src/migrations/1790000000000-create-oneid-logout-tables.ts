import {
  type MigrationInterface,
  type QueryRunner,
  Table,
  type TableColumnOptions,
  type TableIndexOptions,
} from 'typeorm';

const key = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '64' });
const name = (name: string): TableColumnOptions => ({ name, type: 'varchar', length: '255' });
const time = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
const primary = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isPrimary: true });
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true });

const index = (...columnNames: string[]): TableIndexOptions => ({ columnNames });

/** In the schema, and with the prefix, that the data source's options `schema` and `entityPrefix` name. */
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
        time('registered_at'),
        time('expires_at'),
        key('target_session'),
        optional(key('target_sid')),
        key('target_sub'),
        key('id_token_hash'),
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
      'oneid_logout',
      [
        primary(key('id')),
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
      [index('target'), index('keep_until'), index('tokens_due_at')],
    );
    await this.create(
      queryRunner,
      'oneid_session_tokens',
      [
        primary(key('session_id')),
        optional({ name: 'id_token', type: 'text' }),
        optional({ name: 'refresh_token', type: 'text' }),
      ],
      [],
    );
    await this.storeEveryCharacter(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['oneid_session_tokens', 'oneid_logout', 'oneid_session']) {
      await queryRunner.dropTable(pathOf(queryRunner, table));
    }
  }

  private async create(
    queryRunner: QueryRunner,
    table: string,
    columns: TableColumnOptions[],
    indices: TableIndexOptions[],
  ): Promise<void> {
    const path = pathOf(queryRunner, table);
    const { namingStrategy } = queryRunner.dataSource;
    const named = indices.map((given) => ({ ...given, name: namingStrategy.indexName(path, given.columnNames) }));
    await queryRunner.createTable(new Table({ name: path, columns, indices: named }));
  }

  /** MySQL's default may be a character set that knows few characters, and a collation that takes different names for one. */
  private async storeEveryCharacter(queryRunner: QueryRunner): Promise<void> {
    const { driver, options } = queryRunner.dataSource;
    if (options.type !== 'mysql' && options.type !== 'mariadb') return;
    const session = driver.escape(pathOf(queryRunner, 'oneid_session'));
    await queryRunner.query(`ALTER TABLE ${session} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  }
}

function pathOf(queryRunner: QueryRunner, table: string): string {
  const { driver, namingStrategy, options } = queryRunner.dataSource;
  const { entityPrefix } = options;
  const prefixed = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, table) : table;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}
