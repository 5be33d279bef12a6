import { decodeJwt } from 'jose';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { DataSource, type QueryRunner } from 'typeorm';
import { digest } from '../../libs/oneid-logout/src/rule/targets.js';
import { clientId } from './host.js';

/**
 * A row that somebody has inserted and not committed, under the key that a logout will have: whoever records that logout
 * waits, with the time that it has put into its own row, until this one is gone.
 */
export class StuckInsert {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly runner: QueryRunner,
  ) {}

  static async of(logoutToken: string, options: SessionDatabaseOptions): Promise<StuckInsert> {
    const { iss, jti } = decodeJwt(logoutToken);
    const id = digest(['backchannel', String(iss), clientId, String(jti), 'sid']);
    const dataSource = await new DataSource(options).initialize();
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(
      `INSERT INTO oneid_logout (id, target, channel, recorded_at, changed_at, keep_until)
       VALUES ('${id}', 'nobody', 'backchannel', 0, 0, 0)`,
    );
    return new StuckInsert(dataSource, runner);
  }

  async release(): Promise<void> {
    await this.runner.rollbackTransaction();
    await this.runner.release();
    await this.dataSource.destroy();
  }
}
