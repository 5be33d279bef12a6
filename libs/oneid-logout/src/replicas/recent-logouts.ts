import { type RecordedLogout } from '../rule/logout.js';
import { LogoutsByTarget } from '../sessions/logouts-by-target.js';

/** The logouts of the last minutes. */
export class RecentLogouts extends LogoutsByTarget<RecordedLogout> {
  /** Keeps the logout without its author: no check needs it, and it is personal data. */
  override add(logout: RecordedLogout): boolean {
    return super.add({ ...logout, author: undefined });
  }

  /** Forgets the logouts that last changed before this time. @param before the database's clock, milliseconds */
  forget(before: number): void {
    for (const [id, { changedAt }] of this.byId) {
      if (changedAt >= before) return;
      this.remove(id);
    }
  }
}
