import { Transform, type TransformCallback } from 'node:stream';

const NOTIFICATION_RESPONSE = 'A'.charCodeAt(0);

/**
 * Bytes before a message's content: one for its type, and four for its length. The length counts its own four bytes
 * (PostgreSQL documentation, Frontend/Backend Protocol, Message Formats).
 */
const HEADER = 5;

/** Removes notifications from the data that PostgreSQL sends to its client, while `areLost` returns true. */
export class NotificationFilter extends Transform {
  private rest = Buffer.alloc(0);

  constructor(private readonly areLost: () => boolean) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= HEADER) {
      const length = 1 + this.rest.readInt32BE(1);
      if (this.rest.length < length) break;
      if (this.rest[0] !== NOTIFICATION_RESPONSE || !this.areLost()) this.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
    done();
  }
}
