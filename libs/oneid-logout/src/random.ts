import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';

/** All chance in the library comes from here, so a test can hand in values that it knows. */
@Injectable()
export class Random {
  /** Bytes of the system's cryptographic generator. */
  bytes(size: number): Buffer {
    return randomBytes(size);
  }

  /** A number from 0 up to 1, without 1. It is predictable: for pauses that differ, never for secrets. */
  fraction(): number {
    return Math.random();
  }

  /** 256 random bits as 64 hex digits: an id that cannot be guessed. */
  id(): string {
    return this.bytes(32).toString('hex');
  }
}
