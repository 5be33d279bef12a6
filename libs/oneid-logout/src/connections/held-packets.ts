/** How much memory the held packets of one socket may use, bytes: one packet of socket.io's default maximum. */
const MOST_HELD_BY_SOCKET = 1024 * 1024;

/** How much memory the held packets of all sockets may use together, bytes. */
const MOST_HELD = 32 * MOST_HELD_BY_SOCKET;

/** What each value costs beside its text or its bytes, bytes. An empty object takes 56 bytes in V8, with its entry. */
const VALUE_OVERHEAD = 64;

/** The memory of all packets that sockets have sent before they were accepted. */
export class HeldMemory {
  private bytes = 0;

  /** @returns false if the limit does not allow it */
  take(bytes: number): boolean {
    if (this.bytes + bytes > MOST_HELD) return false;
    this.bytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** The packets that one socket has sent before it was accepted. */
export class HeldPackets {
  private releases: (() => void)[] = [];
  private bytes = 0;

  constructor(private readonly memory: HeldMemory) {}

  /** @returns false if the packet does not fit into the memory that a socket, or all sockets, may use */
  add(packet: unknown, release: () => void): boolean {
    const size = sizeOf(packet, MOST_HELD_BY_SOCKET - this.bytes);
    if (size === undefined || !this.memory.take(size)) return false;
    this.bytes += size;
    this.releases.push(release);
    return true;
  }

  /** Hands on the packets in the order of their arrival. */
  release(): void {
    for (const release of this.empty()) release();
  }

  drop(): void {
    this.empty();
  }

  private empty(): readonly (() => void)[] {
    const releases = this.releases;
    this.memory.free(this.bytes);
    [this.releases, this.bytes] = [[], 0];
    return releases;
  }
}

/**
 * About how much memory a parsed packet uses, bytes; undefined if it is more than `limit`. It is not recursive, because
 * the sender decides how deep a packet is.
 */
export function sizeOf(packet: unknown, limit: number): number | undefined {
  let size = VALUE_OVERHEAD;
  const values: unknown[] = [packet];
  while (values.length > 0) {
    const value = values.pop();
    let members: readonly unknown[] = [];
    if (typeof value === 'string') size += Buffer.byteLength(value);
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) size += value.byteLength;
    else if (Array.isArray(value)) members = value;
    else if (typeof value === 'object' && value !== null) members = Object.entries(value).flat();
    size += members.length * VALUE_OVERHEAD;
    if (size > limit) return undefined;
    values.push(...members);
  }
  return size;
}
