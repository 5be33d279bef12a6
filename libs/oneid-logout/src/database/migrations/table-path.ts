import { type DataSource, type QueryRunner } from 'typeorm';

/** The data source of a query runner: TypeORM 0.3 calls it `connection`, TypeORM 1 calls it `dataSource`. */
export function dataSourceOf(queryRunner: QueryRunner): DataSource {
  const named: { readonly dataSource?: DataSource; readonly connection: DataSource } = queryRunner;
  return named.dataSource ?? named.connection;
}

/** The path of a library table, with the `schema` and the `entityPrefix` of the data source's options. */
export function tablePathOf(queryRunner: QueryRunner, table: string): string {
  const { driver, namingStrategy, options } = dataSourceOf(queryRunner);
  const { entityPrefix } = options;
  const prefixed = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, table) : table;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}

/** @param path a table's name; its schema and a dot stand before it when the table has a schema */
export function escapePath({ driver }: DataSource, path: string): string {
  return path
    .split('.')
    .map((part) => driver.escape(part))
    .join('.');
}
