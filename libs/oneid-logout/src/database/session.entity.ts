import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A sign-in, as an immutable fact. When its user is erased, `sub` and `sid` become empty, and `label` null. */
@Entity({ name: 'oneid_session' })
@Index(['targetSession'])
@Index(['targetSid', 'registeredAt'])
@Index(['targetSub', 'registeredAt'])
@Index(['expiresAt'])
@Index(['registeredAt'])
@Index(['idTokenHash'], { unique: true })
export class SessionEntity {
  /** The hash of the first session token: see {@link SessionAliasEntity} for further ones. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  id!: string;

  @Column({ type: 'varchar', length: 255 })
  issuer!: string;

  @Column({ name: 'client_id', type: 'varchar', length: 255 })
  clientId!: string;

  @Column({ type: 'varchar', length: 255, nullable: true })
  sid!: string | null;

  @Column({ type: 'varchar', length: 255 })
  sub!: string;

  /** The provider's clock, seconds. */
  @Column({ name: 'issued_at', type: 'bigint' })
  iat!: string;

  /**
   * When the user authenticated: the provider's clock, seconds. Null when the ID token's `auth_time` is missing or proves
   * nothing.
   */
  @Column({ name: 'auth_time', type: 'bigint', nullable: true })
  authTime!: string | null;

  /** The database's clock, milliseconds. */
  @Column({ name: 'registered_at', type: 'bigint' })
  registeredAt!: string;

  /** The database's clock, milliseconds. */
  @Column({ name: 'expires_at', type: 'bigint' })
  expiresAt!: string;

  @Column({ name: 'target_session', type: 'varchar', length: 64 })
  targetSession!: string;

  /** Of the `sid`; for a session without `sid`, the target of its user's sessions without `sid`. */
  @Column({ name: 'target_sid', type: 'varchar', length: 64 })
  targetSid!: string;

  @Column({ name: 'target_sub', type: 'varchar', length: 64 })
  targetSub!: string;

  /** Unique: one ID token makes one session, even when the app registers it several times. */
  @Column({ name: 'id_token_hash', type: 'varchar', length: 64 })
  idTokenHash!: string;

  /** The app's own text for this session, returned in the list of the user's sessions. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  label!: string | null;
}
