import { type QueryRunner } from 'typeorm';
import { dataSourceOf, escapePath, tablePathOf } from './table-path.js';

/** How long a change waits for the table's lock, seconds: all other statements on the table queue behind it. */
const LOCK_PATIENCE_SECONDS = 2;

/**
 * Changes one of the library's tables, for the migrations of an upgrade. It fails within seconds when an open
 * transaction has used the table: while the change waits for this transaction, all other statements on the table wait
 * behind the change.
 *
 * MySQL and MariaDB commit the change at once: after a crash, the change may exist without a migration record. So a
 * migration first checks whether the change exists.
 */
export async function alterTable(queryRunner: QueryRunner, table: string, change: string): Promise<void> {
  const path = escapePath(dataSourceOf(queryRunner), tablePathOf(queryRunner, table));
  await changeTable(queryRunner, `ALTER TABLE ${path} ${change}`);
}

/** As {@link alterTable}, for another statement that needs the table's lock. */
export async function changeTable(queryRunner: QueryRunner, statement: string): Promise<void> {
  switch (dataSourceOf(queryRunner).options.type) {
    case 'postgres':
      return alterPostgres(queryRunner, statement);
    case 'mysql':
    case 'mariadb':
      return alterMysql(queryRunner, statement);
    default:
      await queryRunner.query(statement);
  }
}

/** The character set and the collation of the library's tables on MySQL and MariaDB. */
export const EVERY_CHARACTER = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/**
 * Gives a new table the character set of the others. MySQL's default character set may lack characters, and its default
 * collation may treat different names as equal. Columns that are compared need the same character set and collation;
 * otherwise MySQL does not use the index.
 */
export async function storeEveryCharacter(queryRunner: QueryRunner, table: string): Promise<void> {
  const { type } = dataSourceOf(queryRunner).options;
  if (type === 'mysql' || type === 'mariadb') await alterTable(queryRunner, table, `CONVERT TO ${EVERY_CHARACTER}`);
}

async function alterPostgres(queryRunner: QueryRunner, statement: string): Promise<void> {
  const [row] = (await queryRunner.query("SELECT current_setting('lock_timeout') AS former")) as { former: string }[];
  // PostgreSQL runs one message in one transaction, so SET LOCAL works here without BEGIN; the former value is restored
  // because the host's migrations may follow in the same transaction
  await queryRunner.query(
    `SET LOCAL lock_timeout = '${LOCK_PATIENCE_SECONDS}s'; ${statement}; SET LOCAL lock_timeout = '${row?.former ?? '0'}'`,
  );
}

async function alterMysql(queryRunner: QueryRunner, statement: string): Promise<void> {
  const [row] = (await queryRunner.query('SELECT @@lock_wait_timeout AS former')) as { former: number }[];
  await queryRunner.query(`SET SESSION lock_wait_timeout = ${LOCK_PATIENCE_SECONDS}`);
  try {
    await queryRunner.query(statement);
  } finally {
    await queryRunner.query(`SET SESSION lock_wait_timeout = ${row?.former ?? 'DEFAULT'}`);
  }
}
