/** Remembers keys, the newest ones up to a limit. It takes memory only for the keys that it has. */
export class RecentKeys {
  private readonly keys = new Set<string>();

  /** @param limit how many keys to remember. One more key, and the oldest is forgotten */
  constructor(private readonly limit: number) {}

  has(key: string): boolean {
    return this.keys.has(key);
  }

  /** A key that is known keeps its age. */
  add(key: string): void {
    this.keys.add(key);
    const [oldest] = this.keys;
    if (this.keys.size > this.limit && oldest !== undefined) this.keys.delete(oldest);
  }
}
