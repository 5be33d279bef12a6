import { type QueryRunner } from 'typeorm';
import { escapePath, tablePathOf } from './table-path.js';

/** How long everything else may queue behind a change that waits for its turn, seconds. */
const LOCK_PATIENCE = 2;

/**
 * Changes a table of ours, or fails within seconds where a transaction that has used it stays open: as long as the change
 * waits for that one, all others wait behind the change.
 */
export async function alterTable(queryRunner: QueryRunner, table: string, change: string): Promise<void> {
  const { dataSource } = queryRunner;
  const statement = `ALTER TABLE ${escapePath(dataSource, tablePathOf(queryRunner, table))} ${change}`;
  switch (dataSource.options.type) {
    case 'postgres':
      return alterPostgres(queryRunner, statement);
    case 'mysql':
    case 'mariadb':
      return alterMysql(queryRunner, statement);
    default:
      await queryRunner.query(statement);
  }
}

async function alterPostgres(queryRunner: QueryRunner, statement: string): Promise<void> {
  const [row] = (await queryRunner.query("SELECT current_setting('lock_timeout') AS former")) as { former: string }[];
  // in one message, which is a transaction also where nobody has begun one; the host's migrations may follow in the same
  await queryRunner.query(
    `SET LOCAL lock_timeout = '${LOCK_PATIENCE}s'; ${statement}; SET LOCAL lock_timeout = '${row?.former ?? '0'}'`,
  );
}

async function alterMysql(queryRunner: QueryRunner, statement: string): Promise<void> {
  const [row] = (await queryRunner.query('SELECT @@lock_wait_timeout AS former')) as { former: number }[];
  await queryRunner.query(`SET SESSION lock_wait_timeout = ${LOCK_PATIENCE}`);
  try {
    await queryRunner.query(statement);
  } finally {
    await queryRunner.query(`SET SESSION lock_wait_timeout = ${row?.former ?? 'DEFAULT'}`);
  }
}
