import { type SessionLookup } from '../guard/session-lookup.js';
import { type LogoutChannel } from '../rule/logout.js';
import { type CheckedSession, type SessionFacts } from '../rule/session.js';
import { type OutageWatch } from '../sessions/outage-watch.js';
import { type LogoutFollower } from './logout-follower.js';

/**
 * Lets no session pass while an outage may be open, whose logout is not recorded yet. It looks at the watch before the
 * question and after the answer: the logout may be recorded in between, after the database has read the session.
 */
export class OutageLookup implements SessionLookup {
  constructor(
    private readonly lookup: SessionLookup,
    private readonly outages: Pick<OutageWatch, 'sureGeneration' | 'confirm'>,
    private readonly follower: Pick<LogoutFollower, 'usableGenerationInOutage'>,
  ) {}

  async check(tokenHash: string): Promise<CheckedSession | undefined> {
    const before = this.outages.sureGeneration;
    const checked = await this.lookup.check(tokenHash);
    if (checked === undefined || checked.endedBy !== undefined) return checked;
    return (await this.isConfirmed(before)) ? checked : this.lookup.check(tokenHash);
  }

  async endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined> {
    const before = this.outages.sureGeneration;
    const endedBy = await this.lookup.endedBy(facts);
    if (endedBy !== undefined) return endedBy;
    return (await this.isConfirmed(before)) ? undefined : this.lookup.endedBy(facts);
  }

  knowsUser(issuer: string, sub: string): Promise<boolean> {
    return this.lookup.knowsUser(issuer, sub);
  }

  findUsers(sidTarget: string): Promise<readonly string[]> {
    return this.lookup.findUsers(sidTarget);
  }

  /**
   * @param before the watch's generation before the question
   * @returns whether the answer that is already there may be used; otherwise it is time to ask again
   */
  private async isConfirmed(before: number | undefined): Promise<boolean> {
    if (before !== undefined && before === this.outages.sureGeneration) return true;
    try {
      await this.outages.confirm();
      return false;
    } catch (error) {
      // while the database does not answer, `allowDuringOutageMs` decides
      if (this.follower.usableGenerationInOutage !== undefined) return true;
      throw error;
    }
  }
}
