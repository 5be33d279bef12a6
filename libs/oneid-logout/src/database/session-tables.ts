import { type DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { ClientTargetEntity } from './client-target.entity.js';
import { LoginUserEntity } from './login-user.entity.js';
import { LogoutEntity } from './logout.entity.js';
import { RecordingTimeEntity } from './recording-time.entity.js';
import { ReplicaEntity } from './replica.entity.js';
import { SessionActivityEntity } from './session-activity.entity.js';
import { SessionAliasEntity } from './session-alias.entity.js';
import { SessionEntity } from './session.entity.js';
import { SessionTokensEntity } from './session-tokens.entity.js';
import { escapePath } from './migrations/table-path.js';

/** The library's table names for SQL: quoted, with the `schema` and `entityPrefix` of the data source's options. */
export interface SessionTables {
  readonly session: string;
  readonly sessionAlias: string;
  readonly logout: string;
  readonly sessionTokens: string;
  readonly replica: string;
  readonly loginUser: string;
  readonly sessionActivity: string;
  readonly clientTarget: string;
  readonly recordingTime: string;
}

export function sessionTablesOf(dataSource: DataSource): SessionTables {
  return {
    session: tableOf(dataSource, SessionEntity),
    sessionAlias: tableOf(dataSource, SessionAliasEntity),
    logout: tableOf(dataSource, LogoutEntity),
    sessionTokens: tableOf(dataSource, SessionTokensEntity),
    replica: tableOf(dataSource, ReplicaEntity),
    loginUser: tableOf(dataSource, LoginUserEntity),
    sessionActivity: tableOf(dataSource, SessionActivityEntity),
    clientTarget: tableOf(dataSource, ClientTargetEntity),
    recordingTime: tableOf(dataSource, RecordingTimeEntity),
  };
}

export function tableOf(dataSource: DataSource, entity: EntityTarget<ObjectLiteral>): string {
  return escapePath(dataSource, dataSource.getMetadata(entity).tablePath);
}
