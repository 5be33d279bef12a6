import { type QueryRunner } from 'typeorm';

/** A table of ours, in the schema and with the prefix that the data source's options `schema` and `entityPrefix` name. */
export function tablePathOf(queryRunner: QueryRunner, table: string): string {
  const { driver, namingStrategy, options } = queryRunner.dataSource;
  const { entityPrefix } = options;
  const prefixed = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, table) : table;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}
