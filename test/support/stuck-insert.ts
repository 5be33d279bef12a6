import { decodeJwt } from 'jose';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { DataSource, type QueryRunner } from 'typeorm';
import { digest } from '../../libs/oneid-logout/src/rule/targets.js';
import { clientId } from './host.js';

/**
 * An uncommitted row with the key of a later logout. A replica that records this logout must wait until the row is
 * gone. It has already chosen the time of its own row before it waits, so that row is committed late.
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
