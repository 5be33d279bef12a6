import { type QueryRunner } from 'typeorm';
import { changeTable } from './alter-table.js';
import { dataSourceOf, escapePath, tablePathOf } from './table-path.js';

/** Creates an index with the name that TypeORM gives it, unless it exists: MySQL may have committed it before a crash. */
export async function createIndex(queryRunner: QueryRunner, table: string, column: string): Promise<void> {
  const path = tablePathOf(queryRunner, table);
  const { name, on } = indexOf(queryRunner, path, column);
  const known = await queryRunner.getTable(path);
  if (known?.indices.some((index) => index.name === name) === true) return;
  await changeTable(queryRunner, `CREATE INDEX ${escaped(queryRunner, name)} ON ${on} (${column})`);
}

/** Drops an index that {@link createIndex} has created. */
export async function dropIndex(queryRunner: QueryRunner, table: string, column: string): Promise<void> {
  const path = tablePathOf(queryRunner, table);
  const { name, on } = indexOf(queryRunner, path, column);
  const { type } = dataSourceOf(queryRunner).options;
  const isMysql = type === 'mysql' || type === 'mariadb';
  const schema = path.split('.').slice(0, -1);
  await changeTable(
    queryRunner,
    isMysql
      ? `DROP INDEX ${escaped(queryRunner, name)} ON ${on}`
      : `DROP INDEX ${escaped(queryRunner, [...schema, name].join('.'))}`,
  );
}

function indexOf(queryRunner: QueryRunner, path: string, column: string) {
  const name = dataSourceOf(queryRunner).namingStrategy.indexName(path, [column]);
  return { name, on: escaped(queryRunner, path) };
}

const escaped = (queryRunner: QueryRunner, path: string): string => escapePath(dataSourceOf(queryRunner), path);
