import { Transform } from 'node:stream';

/** How many bytes of one connection the line carries before the next connection has its turn. */
const PACKET = 1_400;

/** One way of one connection: the packets that wait for the line. */
interface Way {
  readonly packets: { readonly bytes: number; readonly deliver: () => void }[];
}

/**
 * The line that all connections of a proxy share. It delays the data, and carries a fixed number of bytes in a second:
 * a packet of each connection in turn. So an overload does not depend on the machine's speed.
 */
export class SlowLine {
  /** Each way, milliseconds. */
  delayMs = 0;
  /** Both ways together. */
  bytesPerSecond = Infinity;
  /** How many bytes the line has taken. */
  bytes = 0;
  /** The ways with data that wait, in the order of their turns. */
  private readonly waiting = new Set<Way>();
  /** The packets on the line, in the order of their arrival. */
  private readonly arriving: { readonly due: number; readonly deliver: () => void }[] = [];
  private freeAt = 0;
  private silent = false;
  private timer: NodeJS.Timeout | undefined;

  /** One way of one connection. */
  way(): Transform {
    const way: Way = { packets: [] };
    const stream = new Transform({
      transform: (data: Buffer, _encoding, taken) => {
        const size = this.bytesPerSecond === Infinity ? data.length : PACKET;
        for (let start = 0; start < data.length; start += size) {
          const packet = data.subarray(start, start + size);
          this.take(way, packet.length, () => stream.push(packet));
        }
        taken();
      },
      flush: (done) => this.take(way, 0, done),
    });
    return stream;
  }

  /** Delivers no more data. */
  silence(): void {
    this.silent = true;
  }

  /** Delivers the data that it has taken, and goes on. */
  mend(): void {
    this.silent = false;
    this.freeAt = performance.now();
    this.work();
  }

  private take(way: Way, bytes: number, deliver: () => void): void {
    if (this.waiting.size === 0) this.freeAt = Math.max(this.freeAt, performance.now());
    this.bytes += bytes;
    way.packets.push({ bytes, deliver });
    this.waiting.add(way);
    this.work();
  }

  /** Delivers the packets that are due. It sets only one timer, because two late timers may fire in the wrong order. */
  private work(): void {
    clearTimeout(this.timer);
    if (this.silent) return;
    const now = performance.now();
    for (const way of this.waiting) {
      if (this.freeAt > now) break;
      this.carryPacket(way);
    }
    while ((this.arriving[0]?.due ?? Infinity) <= now) this.arriving.shift()?.deliver();
    const next = Math.min(this.arriving[0]?.due ?? Infinity, this.waiting.size > 0 ? this.freeAt : Infinity);
    if (next < Infinity) this.timer = setTimeout(() => this.work(), Math.max(1, next - now));
  }

  private carryPacket(way: Way): void {
    const packet = way.packets.shift();
    // at the end of the set, its next turn comes after those of the others
    this.waiting.delete(way);
    if (way.packets.length > 0) this.waiting.add(way);
    if (packet === undefined) return;
    this.freeAt += (packet.bytes / this.bytesPerSecond) * 1000;
    this.arriving.push({ due: this.freeAt + this.delayMs, deliver: packet.deliver });
  }
}
