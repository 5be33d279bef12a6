import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Until when the logouts of a client could be recorded. There is one row for each client. */
@Entity({ name: 'oneid_recording_time' })
export class RecordingTimeEntity {
  /** The target of everyone's sessions of the client. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  target!: string;

  /** The database's clock, milliseconds. */
  @Column({ name: 'recordable_until', type: 'bigint' })
  recordableUntil!: string;
}
