import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * When a session was last used, for the option `maxIdleSeconds`. In its own table: a session's facts never change. A
 * session without a row counts as used at its sign-in.
 */
@Entity({ name: 'oneid_session_activity' })
@Index(['activeAt'])
export class SessionActivityEntity {
  @PrimaryColumn({ name: 'session_id', type: 'varchar', length: 64 })
  sessionId!: string;

  /** The last recorded use: the database's clock, milliseconds. Later uses may not be recorded yet. */
  @Column({ name: 'active_at', type: 'bigint' })
  activeAt!: string;
}
