import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * Who has signed in with a `sid`. The row stays as long as a logout is kept, so longer than the sessions: a logout that
 * names the `sid` may come after them, and a verified token may name only the `sid` or only the `sub`.
 */
@Entity({ name: 'oneid_login_user' })
@Index(['targetSub', 'keepUntil'])
@Index(['keepUntil'])
export class LoginUserEntity {
  /** As in the session: for a sign-in without `sid`, the target of the user's sessions without `sid`. */
  @PrimaryColumn({ name: 'target_sid', type: 'varchar', length: 64 })
  targetSid!: string;

  @PrimaryColumn({ name: 'target_sub', type: 'varchar', length: 64 })
  targetSub!: string;

  /** The database's clock, milliseconds. */
  @Column({ name: 'keep_until', type: 'bigint' })
  keepUntil!: string;
}
