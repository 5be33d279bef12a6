import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A logout, as an append-only fact. Only `changedAt`, `keepUntil`, `revocationDueAt`, `leasedUntil` and `returnedAt`
 * change afterwards; `author` and `reason` may be erased.
 */
@Entity({ name: 'oneid_logout' })
@Index(['target', 'registeredUntil', 'issuedUntil', 'authenticatedUntil'])
@Index(['keepUntil'])
@Index(['revocationDueAt'])
@Index(['changedAt'])
export class LogoutEntity {
  /** Identifies the fact, so that recording it again adds no second row. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  id!: string;

  @Column({ type: 'varchar', length: 64 })
  target!: string;

  @Column({ type: 'varchar', length: 16 })
  channel!: string;

  /** Who ended the sessions, as the administrator's app says; null otherwise, and after the erasure of the user. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  author!: string | null;

  /** Why, like {@link author}. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  reason!: string | null;

  /** Ends sessions whose ID token was issued at this time or before: the provider's clock, seconds. */
  @Column({ name: 'issued_until', type: 'bigint', nullable: true })
  issuedUntil!: string | null;

  /** Ends sessions registered at this time or before: the database's clock, milliseconds. */
  @Column({ name: 'registered_until', type: 'bigint', nullable: true })
  registeredUntil!: string | null;

  /** Ends sessions whose user authenticated at this time or before, or at an unknown time: the provider's clock, seconds. */
  @Column({ name: 'authenticated_until', type: 'bigint', nullable: true })
  authenticatedUntil!: string | null;

  /** The logout token's `iat`: the provider's clock, seconds. */
  @Column({ name: 'issued_at', type: 'bigint', nullable: true })
  iat!: string | null;

  /** The database's clock, milliseconds. */
  @Column({ name: 'recorded_at', type: 'bigint' })
  recordedAt!: string;

  /** When the logout was last recorded, so that replicas find new ones: the database's clock, milliseconds. */
  @Column({ name: 'changed_at', type: 'bigint' })
  changedAt!: string;

  /**
   * At this time every session that this logout can end has expired: the database's clock, milliseconds. It moves on
   * while refresh tokens of these sessions wait for the end of another session.
   */
  @Column({ name: 'keep_until', type: 'bigint' })
  keepUntil!: string;

  /**
   * When a replica should work on the tokens of the ended sessions: revoke refresh tokens, or, after a front-channel
   * logout, erase the tokens. Null when no work is left. The database's clock, milliseconds.
   */
  @Column({ name: 'revocation_due_at', type: 'bigint', nullable: true })
  revocationDueAt!: string | null;

  /**
   * Until then one replica works on these tokens, and the others leave them to it; null when no replica does. The
   * database's clock, milliseconds.
   */
  @Column({ name: 'leased_until', type: 'bigint', nullable: true })
  leasedUntil!: string | null;

  /** When the browser came back with this logout's `state`; null before. The database's clock, milliseconds. */
  @Column({ name: 'returned_at', type: 'bigint', nullable: true })
  returnedAt!: string | null;
}
