import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';
import { storeEveryCharacter } from './alter-table.js';
import { tablePathOf } from './table-path.js';

const TABLE = 'oneid_recording_time';

/** For outages: until when the logouts of each client could be recorded. */
export class AddRecordingTime1795000000000 implements MigrationInterface {
  readonly name = 'AddRecordingTime1795000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = [
      { name: 'target', type: 'varchar', length: '64', isPrimary: true },
      { name: 'recordable_until', type: 'bigint' },
    ];
    await queryRunner.createTable(new Table({ name: tablePathOf(queryRunner, TABLE), columns }), true);
    await storeEveryCharacter(queryRunner, TABLE);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(tablePathOf(queryRunner, TABLE));
  }
}
