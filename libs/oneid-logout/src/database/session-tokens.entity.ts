import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The tokens of a session, encrypted; beside the session because they are replaced while its facts are not. */
@Entity({ name: 'oneid_session_tokens' })
export class SessionTokensEntity {
  @PrimaryColumn({ name: 'session_id', type: 'varchar', length: 64 })
  sessionId!: string;

  @Column({ name: 'id_token', type: 'text', nullable: true })
  idToken!: string | null;

  @Column({ name: 'refresh_token', type: 'text', nullable: true })
  refreshToken!: string | null;
}
