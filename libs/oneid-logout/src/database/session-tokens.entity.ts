import { Column, Entity, PrimaryColumn } from 'typeorm';

/** OneID's tokens of a session, encrypted, in their own table: tokens are replaced, but a session's facts never change. */
@Entity({ name: 'oneid_session_tokens' })
export class SessionTokensEntity {
  @PrimaryColumn({ name: 'session_id', type: 'varchar', length: 64 })
  sessionId!: string;

  @Column({ name: 'id_token', type: 'text', nullable: true })
  idToken!: string | null;

  @Column({ name: 'refresh_token', type: 'text', nullable: true })
  refreshToken!: string | null;

  /** When the provider first said that it has revoked the refresh token: the database's clock, milliseconds. */
  @Column({ name: 'revoked_at', type: 'bigint', nullable: true })
  revokedAt!: string | null;
}
