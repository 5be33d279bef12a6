import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A replica that may answer from memory, and how stale its answers may be. */
@Entity({ name: 'oneid_replica' })
export class ReplicaEntity {
  @PrimaryColumn({ type: 'varchar', length: 64 })
  id!: string;

  /** Milliseconds. */
  @Column({ name: 'max_staleness', type: 'integer' })
  declaredStalenessMs!: number;

  /** When the replica last declared itself: the database's clock, milliseconds. */
  @Column({ name: 'seen_at', type: 'bigint' })
  seenAt!: string;
}
