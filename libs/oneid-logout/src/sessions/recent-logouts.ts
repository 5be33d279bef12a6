import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { type LogoutChannel, type RecordedLogout } from '../rule/logout.js';

/** Logouts in memory, by target. */
export class RecentLogouts {
  /** In the order of the last `add` of each logout, the oldest first. */
  private readonly byId = new Map<string, RecordedLogout>();
  private readonly byTarget = new Map<string, Map<string, RecordedLogout>>();

  get size(): number {
    return this.byId.size;
  }

  /** @returns whether this logout is new here */
  add(logout: RecordedLogout): boolean {
    const isNew = !this.byId.delete(logout.id);
    this.byId.set(logout.id, logout);
    const aimed = this.byTarget.get(logout.target) ?? new Map<string, RecordedLogout>();
    this.byTarget.set(logout.target, aimed.set(logout.id, logout));
    return isNew;
  }

  /** The channel of a logout that ends this session; undefined without such a logout. */
  endedBy(session: SessionFacts, targets: readonly string[] = targetsOf(session)): LogoutChannel | undefined {
    for (const target of targets) {
      for (const logout of this.byTarget.get(target)?.values() ?? []) {
        if (ends(logout, session, targets)) return logout.channel;
      }
    }
    return undefined;
  }

  remove(id: string): void {
    const logout = this.byId.get(id);
    if (logout === undefined) return;
    this.byId.delete(id);
    const aimed = this.byTarget.get(logout.target);
    aimed?.delete(id);
    if (aimed?.size === 0) this.byTarget.delete(logout.target);
  }

  /** Forgets the logouts that last changed before this time. @param before the database's clock, milliseconds */
  forget(before: number): void {
    for (const [id, { changedAt }] of this.byId) {
      if (changedAt >= before) return;
      this.remove(id);
    }
  }

  clear(): void {
    this.byId.clear();
    this.byTarget.clear();
  }
}
