import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { createIndex, dropIndex } from './table-index.js';

const TABLE = 'oneid_session_activity';

/** For idle sessions: an index that finds the sessions that have been unused for the longest time. */
export class AddActivityIndex1796000000000 implements MigrationInterface {
  readonly name = 'AddActivityIndex1796000000000';

  up(queryRunner: QueryRunner): Promise<void> {
    return createIndex(queryRunner, TABLE, 'active_at');
  }

  down(queryRunner: QueryRunner): Promise<void> {
    return dropIndex(queryRunner, TABLE, 'active_at');
  }
}
