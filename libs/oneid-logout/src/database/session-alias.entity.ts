import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A further session token of a session, as its hash. The app has registered the ID token of the session again. The hash
 * of the first session token is the session's id.
 */
@Entity({ name: 'oneid_session_alias' })
@Index(['sessionId'])
export class SessionAliasEntity {
  @PrimaryColumn({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash!: string;

  @Column({ name: 'session_id', type: 'varchar', length: 64 })
  sessionId!: string;
}
