import { type NewLogout } from '../rule/logout.js';
import { type VerifiedLogoutToken } from '../provider/logout-token.js';
import { randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Ages, type Moment } from '../clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type SessionFacts } from '../rule/session.js';
import { SessionEvents } from './session-events.js';
import { MAX_LATENESS, UncertainLogouts } from './uncertain-logouts.js';
import { SessionRepository } from '../store/session.repository.js';
import { digest, targetOf, type TargetKind } from '../rule/targets.js';

type RegisteredSession = Pick<SessionFacts, 'issuer'> & { readonly id: string };

/** How often to try to write a logout down in that time. */
const ATTEMPTS = 3;

/** Writes logouts down, whoever says them, and tells this process of those that are new. */
@Injectable()
export class LogoutRecorder {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly repository: SessionRepository,
    private readonly events: SessionEvents,
    private readonly ages: Ages,
    private readonly uncertain: UncertainLogouts,
  ) {}

  /** OneID said so over the back-channel, signed: it counts for good, and the same token again changes nothing. */
  async backchannel(logout: VerifiedLogoutToken): Promise<void> {
    const { issuer, iat, sid, sub, scope } = logout;
    const facts: NewLogout[] = [];
    if (sid !== undefined) facts.push(this.fromToken(logout, 'sid', targetOf('sid', issuer, sid), 'none'));
    if (sub !== undefined && (sid === undefined || scope === 'user')) {
      facts.push(this.fromToken(logout, 'sub', targetOf('sub', issuer, sub), iat));
    }
    await this.recordToken(logout, facts);
    if (scope === 'user' && sid !== undefined && sub === undefined) {
      // read after the sid is on record: a sign-in that this misses finds the sid ended and does the same itself
      const users = await this.repository.findSubTargets(targetOf('sid', issuer, sid));
      if (users.length > 0) {
        await this.recordToken(
          logout,
          users.map((target) => {
            const fact = this.fromToken(logout, 'sub', target, iat);
            return { ...fact, id: digest([fact.id, fact.target]) };
          }),
        );
      }
    }
  }

  /** The front-channel said so, unsigned: it ends what is alive now, and leaves no trace where nothing is. */
  async frontchannel(issuer: string, value: string, kind: 'sid' | 'session' = 'sid'): Promise<boolean> {
    const target = targetOf(kind, issuer, value);
    const [newest] = await this.repository.findAlive(kind, target, 1);
    if (newest === undefined) return false;
    // of any number of requests that find the same sessions alive, one is stored
    const id = digest(['frontchannel', target, newest.registeredAt]);
    await this.recordRegistered({ id, channel: 'frontchannel', kind, target });
    return true;
  }

  /** The session's user logs out here: the whole browser login ends, a later sign-in in it lives. */
  async endLogin(session: SessionFacts, logoutId: string = randomId()): Promise<void> {
    const { issuer, sid, id, sub } = session;
    const aim = { sid, session: id, sub };
    const kind = (['sid', 'session', 'sub'] as const).find((candidate) => aim[candidate] !== undefined);
    const value = kind && aim[kind];
    if (kind === undefined || value === undefined)
      throw new TypeError('A session needs an id, a sid or a sub to be ended');
    // a token's clock is the provider's, which may be ahead of ours
    const { registeredAt: registeredUntil } = session;
    const target = targetOf(kind, issuer, value);
    await this.recordRegistered({ id: logoutId, channel: 'app', kind, target, registeredUntil });
  }

  /** Ends one session for good. */
  async endSession(session: RegisteredSession, channel: 'admin' | 'replaced'): Promise<void> {
    await this.bySessions([session], channel);
  }

  /**
   * Ends sessions for good, all or none of them.
   *
   * @returns how many of them nobody had ended this way before
   */
  async bySessions(sessions: readonly RegisteredSession[], channel: 'admin' | 'replaced'): Promise<number> {
    if (sessions.length === 0) return 0;
    const facts = sessions.map(({ issuer, id }): NewLogout => {
      const target = targetOf('session', issuer, id);
      return { id: digest([channel, target]), kind: 'session', target, channel, bound: 'none' };
    });
    // in one order everywhere, or two who end the same ones wait for each other
    return this.record(facts.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  /** Ends every session that a user has now. */
  async endUser(issuer: string, sub: string): Promise<void> {
    await this.recordRegistered({
      id: randomId(),
      channel: 'admin',
      kind: 'sub',
      target: targetOf('sub', issuer, sub),
    });
  }

  /** A sign-in met its `sid` already ended for all of the user's sessions, before anybody knew the user. */
  async endUserOfEndedSid(issuer: string, sid: string, sub: string): Promise<void> {
    const issuedAt = await this.repository.findLogoutIssuedAt(targetOf('sid', issuer, sid));
    if (issuedAt === undefined) return;
    const target = targetOf('sub', issuer, sub);
    await this.record([
      { id: digest(['late', target, issuedAt]), kind: 'sub', target, channel: 'backchannel', bound: issuedAt },
    ]);
  }

  private fromToken(logout: VerifiedLogoutToken, kind: TargetKind, target: string, bound: 'none' | number): NewLogout {
    const { issuer, clientId, jti, iat } = logout;
    return {
      id: digest(['backchannel', issuer, clientId, jti, kind]),
      kind,
      target,
      channel: 'backchannel',
      bound,
      issuedAt: iat,
    };
  }

  private async recordToken(logout: VerifiedLogoutToken, facts: readonly NewLogout[]): Promise<void> {
    if ((await this.record(facts)) === facts.length) return;
    const recorded = await this.repository.findLogoutTargets(facts.map((fact) => fact.id));
    const reused = facts.filter((fact) => {
      const known = recorded.get(fact.id);
      return known !== undefined && (known.target !== fact.target || (known.issuedUntil ?? 'none') !== fact.bound);
    });
    if (reused.length === 0) return;
    // refusing it would lose a logout: some providers put the sid into jti
    this.logger.warn(`${logout.issuer} has reused the jti of a logout token for another logout; recorded all the same`);
    await this.record(reused.map((fact) => ({ ...fact, id: digest([fact.id, fact.target, fact.bound]) })));
  }

  /** @returns how many of them were new */
  private async record(facts: readonly NewLogout[]): Promise<number> {
    const { sent, recorded } = await this.insert(facts);
    if (recorded > 0) {
      this.events.publish(
        facts.map(({ id, channel, target, bound }) => ({
          ...{ id, channel, target },
          ...(typeof bound === 'number' && { issuedUntil: bound }),
        })),
      );
    }
    const allNew = recorded === facts.length;
    await this.restampUntilTimely(
      facts.map(({ id }) => id),
      allNew && this.isInTime(sent),
    );
    return recorded;
  }

  private async recordRegistered(logout: Omit<NewLogout, 'bound'>): Promise<void> {
    const { id, channel, target } = logout;
    const { sent, recorded } = await this.insert([{ ...logout, bound: 'registered' }]);
    const isNew = recorded === 1;
    const inTime = isNew && this.isInTime(sent);
    if (isNew) {
      // the logout is on record: if its bound can't be read just now, better close too much than too little
      const registeredUntil = await this.repository.findRegisteredUntil(id).catch(() => Number.MAX_SAFE_INTEGER);
      this.events.publish([{ id, channel, target, registeredUntil }]);
    }
    await this.restampUntilTimely([id], inTime);
  }

  /**
   * A logout whose commit took long, or was not waited for when it was first recorded, may bear a time that followers are
   * past already: it gets a new one.
   *
   * @throws {StoreUnavailableError} nothing is lost, but replicas may learn of it late
   */
  private async restampUntilTimely(ids: readonly string[], inTime: boolean): Promise<void> {
    try {
      for (let attempt = 1; !inTime; attempt++) {
        if (attempt > ATTEMPTS) throw new StoreUnavailableError(new Error(`No commit came within ${MAX_LATENESS} ms`));
        const sent = this.ages.now();
        await this.repository.touchLogouts(ids);
        inTime = this.isInTime(sent);
      }
    } catch (error) {
      this.uncertain.add(ids);
      throw error;
    }
  }

  private async insert(logouts: readonly NewLogout[]): Promise<{ readonly sent: Moment; readonly recorded: number }> {
    const sent = this.ages.now();
    try {
      return { sent, recorded: await this.repository.insertLogouts(logouts) };
    } catch (error) {
      this.uncertain.add(logouts.map(({ id }) => id));
      throw error;
    }
  }

  private isInTime(sent: Moment): boolean {
    return this.ages.of(sent) <= MAX_LATENESS;
  }
}

function randomId(): string {
  return randomBytes(32).toString('hex');
}
