import { type GuardSettings } from '../guard/guard-settings.js';
import { type SessionLookup } from '../guard/session-lookup.js';
import { type LogoutChannel } from '../rule/logout.js';
import { type CheckedSession, type SessionFacts, timedOutBy } from '../rule/session.js';
import { type SessionActivity } from '../sessions/session-activity.js';

/**
 * Also notes the uses of alive sessions, for the option `maxIdleSeconds`. The guard lets in no session of a client that is
 * not configured here, so this app does not use it.
 */
export class ActivityLookup implements SessionLookup {
  constructor(
    private readonly lookup: SessionLookup,
    private readonly activity: Pick<SessionActivity, 'note'>,
    private readonly isConfiguredClient: GuardSettings['isConfiguredClient'],
  ) {}

  check(tokenHash: string, countsAsUse = false): Promise<CheckedSession | undefined> {
    const checked = this.lookup.check(tokenHash);
    return countsAsUse ? checked.then((one) => this.noted(one)) : checked;
  }

  endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined> {
    return this.lookup.endedBy(facts);
  }

  knowsUser(issuer: string, sub: string): Promise<boolean> {
    return this.lookup.knowsUser(issuer, sub);
  }

  findUsers(sidTarget: string): Promise<readonly string[]> {
    return this.lookup.findUsers(sidTarget);
  }

  private noted(checked: CheckedSession | undefined): CheckedSession | undefined {
    if (checked?.usage === undefined || checked.endedBy !== undefined || timedOutBy(checked) !== undefined)
      return checked;
    const { issuer, clientId } = checked.session;
    if (this.isConfiguredClient(issuer, clientId)) this.activity.note(checked.session, checked.usage);
    return checked;
  }
}
