import { Entity, PrimaryColumn } from 'typeorm';

/**
 * The targets of everyone to which the sessions of a client belong: the issuer's, and the client's. SQL finds the target
 * of a session here, because no SQL makes a SHA-256 on every database. There are four rows for each client.
 */
@Entity({ name: 'oneid_client_target' })
export class ClientTargetEntity {
  /** As the sessions may have it: without the trailing slash, and with it. */
  @PrimaryColumn({ type: 'varchar', length: 255 })
  issuer!: string;

  @PrimaryColumn({ name: 'client_id', type: 'varchar', length: 255 })
  clientId!: string;

  @PrimaryColumn({ type: 'varchar', length: 64 })
  target!: string;
}
