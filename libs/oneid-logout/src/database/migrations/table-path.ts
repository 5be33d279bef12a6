import { type DataSource, type QueryRunner } from 'typeorm';

/** A table of ours, in the schema and with the prefix that the data source's options `schema` and `entityPrefix` name. */
export function tablePathOf(queryRunner: QueryRunner, table: string): string {
  const { driver, namingStrategy, options } = queryRunner.dataSource;
  const { entityPrefix } = options;
  const prefixed = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, table) : table;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}

/** @param path a table's name, with its schema before it where there is one */
export function escapePath({ driver }: DataSource, path: string): string {
  return path
    .split('.')
    .map((part) => driver.escape(part))
    .join('.');
}
