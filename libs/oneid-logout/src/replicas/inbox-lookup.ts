import { type SessionLookup } from '../guard/session-lookup.js';
import { type LogoutChannel, reasonOfEnd } from '../rule/logout.js';
import { type CheckedSession, type SessionFacts } from '../rule/session.js';
import { type LogoutInbox } from '../sessions/logout-inbox.js';

/** Also obeys the logouts that this replica has received and that the store could not record yet. */
export class InboxLookup implements SessionLookup {
  constructor(
    private readonly lookup: SessionLookup,
    private readonly inbox: Pick<LogoutInbox, 'endedBy' | 'size'>,
  ) {}

  check(tokenHash: string, countsAsUse?: boolean): Promise<CheckedSession | undefined> {
    const checked = this.lookup.check(tokenHash, countsAsUse);
    return this.inbox.size === 0 ? checked : checked.then((one) => this.obeyed(one));
  }

  async endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined> {
    const endedBy = await this.lookup.endedBy(facts);
    return isLogoutOfUser(endedBy) ? endedBy : (this.inbox.endedBy(facts) ?? endedBy);
  }

  knowsUser(issuer: string, sub: string): Promise<boolean> {
    return this.lookup.knowsUser(issuer, sub);
  }

  findUsers(sidTarget: string): Promise<readonly string[]> {
    return this.lookup.findUsers(sidTarget);
  }

  private obeyed(checked: CheckedSession | undefined): CheckedSession | undefined {
    if (checked === undefined || isLogoutOfUser(checked.endedBy)) return checked;
    const endedBy = this.inbox.endedBy(checked.session);
    return endedBy === undefined ? checked : { ...checked, endedBy };
  }
}

function isLogoutOfUser(endedBy: LogoutChannel | undefined): boolean {
  return endedBy !== undefined && reasonOfEnd(endedBy) === 'logged_out';
}
