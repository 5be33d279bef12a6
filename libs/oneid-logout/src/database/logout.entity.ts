import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A logout, as an append-only fact; `changedAt` and the last two columns only note what has been done about it. */
@Entity({ name: 'oneid_logout' })
@Index(['target'])
@Index(['keepUntil'])
@Index(['tokensDueAt'])
@Index(['changedAt'])
export class LogoutEntity {
  /** Says what the fact is, so that recording it again is no second fact. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  id!: string;

  @Column({ type: 'varchar', length: 64 })
  target!: string;

  @Column({ type: 'varchar', length: 16 })
  channel!: string;

  /** Ends sessions whose ID token was issued until then: the provider's clock, seconds. */
  @Column({ name: 'issued_until', type: 'bigint', nullable: true })
  issuedUntil!: string | null;

  /** Ends sessions registered until then: the database's clock, milliseconds. */
  @Column({ name: 'registered_until', type: 'bigint', nullable: true })
  registeredUntil!: string | null;

  /** The logout token's `iat`: the provider's clock, seconds. */
  @Column({ name: 'issued_at', type: 'bigint', nullable: true })
  issuedAt!: string | null;

  /** The database's clock, milliseconds. */
  @Column({ name: 'recorded_at', type: 'bigint' })
  recordedAt!: string;

  /** When it was recorded, or recorded once more, by which replicas find what is new: the database's clock, milliseconds. */
  @Column({ name: 'changed_at', type: 'bigint' })
  changedAt!: string;

  /** From then on no session this logout could end is alive any more: the database's clock, milliseconds. */
  @Column({ name: 'keep_until', type: 'bigint' })
  keepUntil!: string;

  /** When to look for refresh tokens to revoke; null when there is nothing left to do. */
  @Column({ name: 'tokens_due_at', type: 'bigint', nullable: true })
  tokensDueAt!: string | null;

  /** When the browser came back from the provider with this logout's `state`; null before. */
  @Column({ name: 'returned_at', type: 'bigint', nullable: true })
  returnedAt!: string | null;
}
