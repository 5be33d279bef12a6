import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { type Logout, type LogoutChannel, reasonOfEnd } from '../rule/logout.js';

/** Logouts in memory, which finds those of a session by their targets. */
export class LogoutsByTarget<Stored extends Logout = Logout> {
  /** In the order of the last `add` of each logout, the oldest first. */
  protected readonly byId = new Map<string, Stored>();
  private readonly byTarget = new Map<string, Map<string, Stored>>();

  get size(): number {
    return this.byId.size;
  }

  /** @returns whether this logout is new here */
  add(logout: Stored): boolean {
    const isNew = !this.byId.delete(logout.id);
    this.byId.set(logout.id, logout);
    const aimed = this.byTarget.get(logout.target) ?? new Map<string, Stored>();
    this.byTarget.set(logout.target, aimed.set(logout.id, logout));
    return isNew;
  }

  /** The channel of a logout that ends this session, then `idle`, then `unconfirmed`; undefined without such a logout. */
  endedBy(session: SessionFacts, targets: readonly string[] = targetsOf(session)): LogoutChannel | undefined {
    let other: 'idle' | 'unconfirmed' | undefined;
    for (const target of targets) {
      for (const logout of this.byTarget.get(target)?.values() ?? []) {
        if (!ends(logout, session, targets)) continue;
        const reason = reasonOfEnd(logout.channel);
        if (reason === 'logged_out') return logout.channel;
        if (other !== 'idle') other = reason;
      }
    }
    return other;
  }

  remove(id: string): void {
    const logout = this.byId.get(id);
    if (logout === undefined) return;
    this.byId.delete(id);
    const aimed = this.byTarget.get(logout.target);
    aimed?.delete(id);
    if (aimed?.size === 0) this.byTarget.delete(logout.target);
  }

  clear(): void {
    this.byId.clear();
    this.byTarget.clear();
  }
}
