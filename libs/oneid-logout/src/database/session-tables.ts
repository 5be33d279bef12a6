import { type DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { LogoutEntity } from './logout.entity.js';
import { ReplicaEntity } from './replica.entity.js';
import { SessionEntity } from './session.entity.js';
import { SessionTokensEntity } from './session-tokens.entity.js';

/** The library's tables as SQL calls them: quoted, with the `schema` and `entityPrefix` of the data source's options. */
export interface SessionTables {
  readonly session: string;
  readonly logout: string;
  readonly sessionTokens: string;
  readonly replica: string;
}

export function sessionTablesOf(dataSource: DataSource): SessionTables {
  const nameOf = (entity: EntityTarget<ObjectLiteral>) =>
    dataSource
      .getMetadata(entity)
      .tablePath.split('.')
      .map((part) => dataSource.driver.escape(part))
      .join('.');
  return {
    session: nameOf(SessionEntity),
    logout: nameOf(LogoutEntity),
    sessionTokens: nameOf(SessionTokensEntity),
    replica: nameOf(ReplicaEntity),
  };
}
