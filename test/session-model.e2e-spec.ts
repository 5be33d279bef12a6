import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  ClocksDifferError,
  type RegisteredSession,
  SessionEndedError,
  SessionRejectedError,
} from 'nestjs-oneid-logout';
import { IDLE_GRACE } from '../libs/oneid-logout/src/sessions/idle-ends.js';
import { isOfEveryone } from '../libs/oneid-logout/src/rule/logout.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { type DatabaseKind, postgres, sqlite, type TestDatabase } from './support/databases.js';
import { clientId, DAY, issuer, maxSessionLifetimeMs, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The option `maxIdleSeconds` of the runs with idleness, milliseconds. A restart may double it. */
const MAX_IDLE = 60 * MINUTE;

/** How old a recorded use is when one is due, milliseconds. */
const useDue = (maxIdle: number) => (maxIdle / 20) * 1.25;

/** How many session tokens a session may have. */
const MAX_TOKENS = 16;

/** One sign-in as the model remembers it. */
interface SignedIn {
  readonly id: string;
  /** All session tokens of the session. */
  readonly sessionTokens: string[];
  readonly idToken: string;
  readonly user: string;
  /** Undefined when the ID token has no `sid`. */
  readonly login: string | undefined;
  /** The provider's seconds when it issued the ID token. */
  readonly issued: number;
  /** The provider's seconds when the user authenticated; undefined when the ID token does not tell. */
  readonly authenticated: number | undefined;
  /** The position in the order of all steps; it never goes back. */
  readonly order: number;
  /** The database's clock, milliseconds; 0 before the sign-in. */
  readonly registeredAt: number;
  /** When the session expires, milliseconds of the true time. */
  readonly ends: number;
  /** The last use that the library has recorded, or the sign-in: the database's clock, milliseconds. */
  usedAt: number;
  /** The library has recorded that the session is idle: it is over for good. */
  endedIdle?: boolean;
}

type Limit = number | undefined;

/** The model: sets of facts, without the library's way of storing them. */
class Model {
  readonly signIns: SignedIn[] = [];
  /** When the logout was recorded, milliseconds of the true time. */
  readonly deadLogins = new Map<string, number>();
  /** Logins that OneID has ended and whose `sid` it may use again: ended when authenticated up to this second. */
  readonly reusedLogins = new Map<string, { readonly since: number; readonly until: number }>();
  readonly deadSessions = new Set<string>();
  /** Ended up to and including this order. */
  readonly logins = new Map<string, number>();
  readonly users = new Map<string, number>();
  everyone = -1;
  /** Ended by an outage, up to and including this order. */
  unconfirmed = -1;
  /** Ended when issued up to this second. */
  readonly usersIssued = new Map<string, number>();
  /** The same for the user's sessions without `sid` alone. */
  readonly sidlessIssued = new Map<string, number>();
  order = 0;
  /** True time: only moves forward, and the provider's clock with it. */
  time = Date.now();
  /** The error of the database's clock, milliseconds. */
  skew = 0;
  /** The latest that the database's clock has ever shown. */
  latest = 0;
  /** The option `maxIdleSeconds`, milliseconds. */
  maxIdle = MAX_IDLE;

  /** @param limit how many sessions a user may have */
  constructor(
    public limit: Limit,
    readonly endsIdleSessions: boolean,
  ) {}

  get seconds(): number {
    return Math.floor(this.time / 1000);
  }

  isLoggedOut(signIn: Omit<SignedIn, 'idToken' | 'sessionTokens' | 'ends' | 'usedAt'>): boolean {
    const { id, login, user, order, issued, authenticated = 0 } = signIn;
    const byLogin =
      login === undefined
        ? issued <= (this.sidlessIssued.get(user) ?? -1)
        : this.deadLogins.has(login) ||
          order <= (this.logins.get(login) ?? -1) ||
          authenticated <= (this.reusedLogins.get(login)?.until ?? -1);
    return (
      byLogin ||
      this.deadSessions.has(id) ||
      order <= this.everyone ||
      order <= (this.users.get(user) ?? -1) ||
      issued <= (this.usersIssued.get(user) ?? -1)
    );
  }

  /** Is the session over by a logout, by an outage, or for good because it was idle? */
  isEnded(signIn: SignedIn): boolean {
    return this.isLoggedOut(signIn) || signIn.endedIdle === true || signIn.order <= this.unconfirmed;
  }

  /** Why the session is over, as far as a logout of any channel has ended it. */
  reasonOf(signIn: SignedIn): 'logged_out' | 'idle' | 'unconfirmed' | undefined {
    if (this.isLoggedOut(signIn)) return 'logged_out';
    if (signIn.endedIdle === true) return 'idle';
    return this.isEnded(signIn) ? 'unconfirmed' : undefined;
  }

  /** Has the session expired? `perhaps` close to its end, because real time goes on during a step. */
  isOver({ ends }: SignedIn): boolean | 'perhaps' {
    const left = ends - this.time - this.skew;
    return Math.abs(left) < MINUTE ? 'perhaps' : left < 0;
  }

  /** How long the session has been unused, milliseconds of the database's clock. */
  unused({ usedAt }: SignedIn): number {
    return this.time + this.skew - usedAt;
  }

  /** Is the session idle? `perhaps` close to that time. */
  isIdle(signIn: SignedIn): boolean | 'perhaps' {
    if (!this.endsIdleSessions) return false;
    const left = this.maxIdle - this.unused(signIn);
    return Math.abs(left) < MINUTE ? 'perhaps' : left < 0;
  }

  /** May the purge have deleted it, because the clock was ahead at some time? */
  mayBeGone({ ends }: SignedIn): boolean {
    return this.latest + MINUTE > ends;
  }

  /** Is it certain which of the sessions are alive, as far as the time decides it? */
  get isTimeClear(): boolean {
    return this.signIns.every(
      (signIn) => this.isOver(signIn) !== 'perhaps' && (!this.mayBeGone(signIn) || this.isOver(signIn) === true),
    );
  }

  /** A sign-in of this user has succeeded: the oldest sessions beyond the limit end. */
  endOldest(user: string): void {
    const alive = this.signIns.filter(
      (signIn) => signIn.user === user && !this.isEnded(signIn) && this.isOver(signIn) === false,
    );
    alive.sort((a, b) => b.registeredAt - a.registeredAt || (a.id < b.id ? 1 : -1));
    for (const { id } of alive.slice(this.limit ?? Infinity)) this.deadSessions.add(id);
  }

  /** A new session, which is the newest one of its user when there is a limit. */
  add(signIn: SignedIn): void {
    this.signIns.push(signIn);
    if (this.limit === undefined) return;
    this.endOldest(signIn.user);
    expect(this.deadSessions).not.toContain(signIn.id);
  }

  /** May the purge have deleted who has signed in? It stays longer than the session. */
  isForgottenUser({ ends }: SignedIn): boolean {
    return this.latest + MINUTE > ends + DAY;
  }

  /** An ended `sid` may be used again when its logout is forgotten: close to that time, both results are right. */
  isForgotten(login: string): boolean {
    const since = Math.min(
      ...[this.deadLogins.get(login), this.reusedLogins.get(login)?.since].map((at) => at ?? Infinity),
    );
    return this.time - since > maxSessionLifetimeMs - 3 * DAY;
  }

  endIssued(user: string, seconds: number, users = this.usersIssued): void {
    users.set(user, Math.max(seconds, users.get(user) ?? -1));
  }

  endAuthenticated(login: string, seconds: number): void {
    const { since = this.time, until = -1 } = this.reusedLogins.get(login) ?? {};
    this.reusedLogins.set(login, { since, until: Math.max(seconds, until) });
  }

  pick(nth: number): SignedIn | undefined {
    return this.signIns[nth % (this.signIns.length || 1)];
  }
}

/** The real system: two replicas on one database. Each step names its replica. */
class Real {
  readonly clock = new TestClock();
  replicas: SessionStore[] = [];
  limit: Limit;
  maxIdle = MAX_IDLE;

  constructor(
    readonly database: TestDatabase,
    readonly endsIdleSessions: boolean,
  ) {}

  async boot(limit: Limit, maxIdle = MAX_IDLE): Promise<void> {
    this.limit = limit;
    this.maxIdle = maxIdle;
    for (const replica of this.replicas) await replica.close();
    this.replicas = [];
    const options = {
      ...(limit !== undefined && { maxSessionsPerUser: limit }),
      ...(this.endsIdleSessions && { maxIdleSeconds: maxIdle / SECOND }),
    };
    for (let n = 0; n < 2; n++) {
      this.replicas.push(await SessionStore.open(this.database, { clock: this.clock, ...options }));
    }
  }

  at(replica: number): SessionStore {
    const store = this.replicas[replica % 2];
    if (store === undefined) throw new Error('not booted');
    return store;
  }

  /** Sets both clocks to the model's clocks. */
  async follow(model: Model): Promise<void> {
    this.clock.ahead = model.time - Date.now();
    this.clock.databaseAhead = this.clock.ahead + model.skew;
    return Promise.resolve();
  }
}

type Step = fc.AsyncCommand<Model, Real>;

/** A step that runs on the model and on the real system, and then checks every session. */
abstract class Command implements Step {
  constructor(readonly replica: number) {}

  check(model: Readonly<Model>): boolean {
    return model.time > 0;
  }

  abstract act(model: Model, real: Real, store: SessionStore): Promise<void>;

  async run(model: Model, real: Real): Promise<void> {
    await real.follow(model);
    await this.act(model, real, real.at(this.replica));
    model.latest = Math.max(model.latest, model.time + model.skew);
    await real.follow(model);
    for (const signIn of model.signIns) {
      const verdicts = new Set<string>();
      for (const sessionToken of signIn.sessionTokens) {
        const judged = await real.at(this.replica + 1).judge.judge({ sessionToken });
        verdicts.add('alive' in judged ? 'alive' : judged.reason);
      }
      const over = model.isOver(signIn);
      const expected: string[] = [];
      const reason = model.reasonOf(signIn);
      if (reason !== undefined) expected.push(reason);
      // the logouts that name the session itself outrank those of everyone
      if (reason === 'logged_out' && signIn.endedIdle === true) expected.push('idle');
      if (expected.length === 0 && over !== true) {
        const idle = model.isIdle(signIn);
        if (idle !== true) expected.push('alive');
        if (idle !== false) expected.push('idle');
      }
      if (expected.length === 0 || over === 'perhaps') expected.push('expired');
      if (model.mayBeGone(signIn)) expected.push('unknown');
      const wrong = [...verdicts].find((verdict) => !expected.includes(verdict));
      if (wrong !== undefined) throw new Error(`${signIn.login} is ${wrong}, not ${expected.join(' or ')}`);
    }
  }

  toString(): string {
    return `${this.constructor.name}(${Object.values(this).join(', ')})`;
  }
}

class SignIn extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly browser: string,
    readonly age: number,
    readonly hasSid: boolean,
    readonly hasAuthTime: boolean,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    return !model.isForgotten(`${this.user}@${this.browser}`) && (model.limit === undefined || model.isTimeClear);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const login = this.hasSid ? `${this.user}@${this.browser}` : undefined;
    const issued = model.seconds - this.age;
    const authenticated = this.hasAuthTime ? issued - 1 : undefined;
    const order = ++model.order;
    const idToken = store.idToken({ sub: this.user, sid: login, iat: issued, authTime: authenticated });
    const fresh = { id: '', login, user: this.user, order, registeredAt: 0, issued, authenticated };
    const result = await store.registry
      .register({ idToken, refreshToken: `refresh ${order}` })
      .catch((error: unknown) => error);
    if (model.isLoggedOut(fresh)) {
      expect(result).toBeInstanceOf(SessionEndedError);
      return;
    }
    const { id, sessionToken, registeredAt } = result as RegisteredSession;
    expect(id).toBe(tokenHashOf(sessionToken));
    model.add({
      ...fresh,
      id,
      registeredAt,
      sessionTokens: [sessionToken],
      idToken,
      ends: model.time + model.skew + maxSessionLifetimeMs,
      usedAt: registeredAt,
    });
  }
}

class SignInAgain extends Command {
  constructor(
    replica: number,
    readonly nth: number,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    const known = model.pick(this.nth);
    if (known === undefined || model.isIdle(known) === 'perhaps') return false;
    if (model.limit !== undefined && !model.isTimeClear) return false;
    return model.seconds - known.issued < 300 && known.sessionTokens.length < MAX_TOKENS;
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const known = model.pick(this.nth);
    if (known === undefined) return;
    const again = await store.registry.register({ idToken: known.idToken }).then(
      ({ id, sessionToken }) => {
        known.sessionTokens.push(sessionToken);
        return id;
      },
      (error: unknown) => {
        if (error instanceof SessionRejectedError) return error.reason;
        return error instanceof SessionEndedError ? 'ended' : error;
      },
    );
    const reason = model.reasonOf(known);
    if (reason === 'logged_out') expect(known.endedIdle === true ? ['ended', 'idle'] : ['ended']).toContain(again);
    else if (reason !== undefined) expect(again).toBe(reason);
    else if (model.isIdle(known) === true) {
      expect(again).toBe('idle');
      // so that its refresh token is revoked
      known.endedIdle = true;
    } else {
      expect(again).toBe(known.id);
      model.endOldest(known.user);
    }
  }
}

class Replace extends Command {
  constructor(
    replica: number,
    readonly nth: number,
    readonly browser: string,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    const old = model.pick(this.nth);
    if (model.limit !== undefined && !model.isTimeClear) return false;
    return old !== undefined && !model.isForgotten(`${old.user}@${this.browser}`);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const old = model.pick(this.nth);
    if (old === undefined) return;
    const login = `${old.user}@${this.browser}`;
    const fresh = {
      id: '',
      login,
      user: old.user,
      order: ++model.order,
      registeredAt: 0,
      issued: model.seconds,
      authenticated: undefined,
    };
    const idToken = store.idToken({ sub: old.user, sid: login, iat: fresh.issued });
    const registered = store.registry.register({ idToken, replaces: old.sessionTokens.at(-1) });
    if (model.isLoggedOut(fresh)) {
      await expect(registered).rejects.toThrow(SessionEndedError);
      return;
    }
    const { id, sessionToken, registeredAt } = await registered;
    if (old.endedIdle !== true) model.deadSessions.add(old.id);
    model.add({
      ...fresh,
      id,
      registeredAt,
      sessionTokens: [sessionToken],
      idToken,
      ends: model.time + model.skew + maxSessionLifetimeMs,
      usedAt: registeredAt,
    });
  }
}

/** The user uses the session, and the background job records it. */
class Use extends Command {
  constructor(
    replica: number,
    readonly nth: number,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    const known = model.pick(this.nth);
    if (known === undefined || model.isOver(known) === 'perhaps') return false;
    const unused = model.unused(known);
    const { maxIdle } = model;
    return Math.abs(unused - useDue(maxIdle)) > MINUTE && Math.abs(unused - maxIdle) > maxIdle / 20;
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const known = model.pick(this.nth);
    const [sessionToken] = known?.sessionTokens ?? [];
    if (known === undefined || sessionToken === undefined) return;
    const verdict = await store.judge.judge({ sessionToken }, true);
    await store.activity?.wake();
    if ('alive' in verdict && model.unused(known) > useDue(model.maxIdle)) known.usedAt = model.time + model.skew;
  }
}

class Refresh extends Command {
  constructor(
    replica: number,
    readonly nth: number,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    return model.signIns.length > 0;
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const known = model.pick(this.nth);
    if (known === undefined) return;
    const idToken = store.idToken({ sub: known.user, sid: known.login, iat: model.seconds });
    const result = await store.registry
      .refresh(known.id, { idToken, refreshToken: `refresh ${++model.order}` })
      .catch((error: unknown) => error);
    if (model.isEnded(known)) expect(result).not.toHaveProperty('registeredAt');
  }
}

class OneIdEndsLogin extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly browser: string,
    readonly times: number,
  ) {
    super(replica);
  }

  async act(model: Model, real: Real, store: SessionStore): Promise<void> {
    const login = `${this.user}@${this.browser}`;
    const token = store.logout({ sid: login, iat: model.seconds });
    for (let n = 0; n < this.times; n++) await real.at(this.replica + n).recorder.recordBackchannel(token);
    model.deadLogins.set(login, model.deadLogins.get(login) ?? model.time);
  }
}

/** The client's option `reusesSid` is on. */
class OneIdEndsReusedLogin extends OneIdEndsLogin {
  override async act(model: Model, real: Real, store: SessionStore): Promise<void> {
    const login = `${this.user}@${this.browser}`;
    const authenticatedUntil = model.seconds;
    const token = store.logout({ sid: login, iat: model.seconds, authenticatedUntil });
    for (let n = 0; n < this.times; n++) await real.at(this.replica + n).recorder.recordBackchannel(token);
    model.endAuthenticated(login, authenticatedUntil);
  }
}

/** The token names the user beside the login; the sessions of the user's other logins go on. */
class OneIdEndsLoginOfUser extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly browser: string,
    readonly delay: number,
  ) {
    super(replica);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const sid = `${this.user}@${this.browser}`;
    const iat = model.seconds - this.delay;
    await store.recorder.recordBackchannel(store.logout({ sid, sub: this.user, iat }));
    model.deadLogins.set(sid, model.deadLogins.get(sid) ?? model.time);
    model.endIssued(this.user, iat, model.sidlessIssued);
  }
}

class OneIdEndsUser extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly delay: number,
    readonly reusesJti: boolean,
  ) {
    super(replica);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const iat = model.seconds - this.delay;
    await store.recorder.recordBackchannel(
      store.logout({ sub: this.user, iat, ...(this.reusesJti && { jti: 'always' }) }),
    );
    model.endIssued(this.user, iat);
  }
}

class OneIdEndsLoginAndUser extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly browser: string,
    readonly namesUser: boolean,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    const login = `${this.user}@${this.browser}`;
    // only a sign-in tells the user of a sid; other tests cover late sign-ins
    return this.namesUser || model.signIns.some((signIn) => signIn.login === login && !model.isForgottenUser(signIn));
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const sid = `${this.user}@${this.browser}`;
    const sub = this.namesUser ? this.user : undefined;
    await store.recorder.recordBackchannel(store.logout({ sid, sub, iat: model.seconds, scope: 'user' }));
    model.deadLogins.set(sid, model.deadLogins.get(sid) ?? model.time);
    model.endIssued(this.user, model.seconds);
  }
}

class FrontChannel extends Command {
  constructor(
    replica: number,
    readonly user: string,
    readonly browser: string,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    return model.isTimeClear;
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const login = `${this.user}@${this.browser}`;
    const rows = (await store.rows('logout')).length;
    const ended = await store.recorder.recordFrontchannel(issuer, login);
    const alive = model.signIns.filter(
      (signIn) => signIn.login === login && !model.isEnded(signIn) && model.isOver(signIn) === false,
    );
    expect(ended).toBe(alive.length > 0);
    expect((await store.rows('logout')).length).toBe(rows + Number(ended));
    if (ended) model.logins.set(login, model.order);
  }
}

class UserLogsOut extends Command {
  constructor(
    replica: number,
    readonly nth: number,
  ) {
    super(replica);
  }

  override check(model: Readonly<Model>): boolean {
    return model.signIns.length > 0;
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const known = model.pick(this.nth);
    const checked = known && (await store.repository.check(known.id));
    if (known === undefined || checked === undefined) return;
    await store.recorder.endLogin(checked.session);
    if (known.login === undefined) model.deadSessions.add(known.id);
    else model.logins.set(known.login, model.order);
  }
}

class AdminEndsSession extends UserLogsOut {
  override async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const known = model.pick(this.nth);
    const checked = known && (await store.repository.check(known.id));
    if (known === undefined || checked === undefined) return;
    await store.recorder.endSession(checked.session, 'admin');
    model.deadSessions.add(known.id);
  }
}

class AdminEndsUser extends Command {
  constructor(
    replica: number,
    readonly user: string,
  ) {
    super(replica);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    await store.recorder.endUser(issuer, this.user);
    model.users.set(this.user, model.order);
  }
}

class AdminErasesUser extends AdminEndsUser {
  override async act(model: Model, real: Real, store: SessionStore): Promise<void> {
    await super.act(model, real, store);
    await store.userData.erase(targetOf('sub', issuer, this.user));
    expect(await store.rows('session', 'sub = ?', this.user)).toEqual([]);
    // the guard no longer knows the further tokens of an ended session
    for (const signIn of model.signIns) if (signIn.user === this.user) signIn.sessionTokens.splice(1);
  }
}

class AdminEndsEveryone extends Command {
  constructor(
    replica: number,
    readonly at: 'issuer' | 'client' | 'another client',
  ) {
    super(replica);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const client = { issuer: undefined, client: clientId, 'another client': 'another' }[this.at];
    const ended = await store.recorder.endEveryone(issuer, client).catch((error: unknown) => error);
    if (Math.abs(model.skew) > MINUTE) expect(ended).toBeInstanceOf(ClocksDifferError);
    else {
      expect(ended).toBeUndefined();
      if (this.at !== 'another client') model.everyone = model.order;
    }
  }
}

/** No replica could record logouts for a while. */
class Outage extends Command {
  override check(model: Readonly<Model>): boolean {
    // a session of a clock that was ahead ends by a logout of its own, which hides the channel of its other logouts
    return model.signIns.every(({ registeredAt }) => registeredAt <= model.time + model.skew + MINUTE / 2);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const ended = store.recorder.endUnconfirmed(issuer, clientId, ++model.order).catch((error: unknown) => error);
    if (Math.abs(model.skew) > MINUTE) expect(await ended).toBeInstanceOf(ClocksDifferError);
    else {
      expect(await ended).toBeUndefined();
      model.unconfirmed = model.order;
    }
  }
}

/** The background job that ends idle sessions for good. */
class IdleSessionsEnd extends Command {
  override check(model: Readonly<Model>): boolean {
    if (!model.isTimeClear) return false;
    return model.signIns.every((signIn) => Math.abs(model.unused(signIn) - model.maxIdle - IDLE_GRACE) > MINUTE);
  }

  async act(model: Model, _real: Real, store: SessionStore): Promise<void> {
    const rows = async () => (await store.rows('logout', 'channel = ?', 'idle')).length;
    const before = await rows();
    await store.idleEnds?.wake();
    const due =
      Math.abs(model.skew) > MINUTE
        ? []
        : model.signIns.filter(
            (signIn) =>
              !model.isEnded(signIn) &&
              model.isOver(signIn) === false &&
              model.unused(signIn) > model.maxIdle + IDLE_GRACE,
          );
    for (const signIn of due) signIn.endedIdle = true;
    expect((await rows()) - before).toBe(due.length);
  }
}

class TimePasses extends Command {
  constructor(
    replica: number,
    readonly milliseconds: number,
  ) {
    super(replica);
  }

  act(model: Model): Promise<void> {
    model.time += this.milliseconds;
    return Promise.resolve();
  }
}

class DatabaseClockJumps extends Command {
  constructor(
    replica: number,
    readonly skew: number,
  ) {
    super(replica);
  }

  act(model: Model): Promise<void> {
    model.skew = this.skew;
    return Promise.resolve();
  }
}

/** All background jobs. */
class Housekeeping extends Command {
  async act(_model: Model, _real: Real, store: SessionStore): Promise<void> {
    for (const logout of await store.revocations.findDue(999)) {
      await store.revocations.claim(logout);
      const found = await (isOfEveryone(logout)
        ? store.tokens.findEndedWithEveryone(logout.id, '', 999)
        : store.tokens.findEndedBy(logout.id, '', 999));
      for (const tokens of found) await store.tokens.erase(tokens);
      await store.revocations.release(logout, null);
    }
    while ((await store.purge(10)) > 0);
  }
}

/** With the same options or other ones. */
class Restart extends Command {
  constructor(
    replica: number,
    readonly limit: Limit,
    readonly maxIdle: number,
  ) {
    super(replica);
  }

  act(model: Model, real: Real): Promise<void> {
    model.limit = model.endsIdleSessions ? undefined : this.limit;
    model.maxIdle = this.maxIdle;
    return real.boot(model.limit, model.maxIdle);
  }
}

const replica = fc.nat(1);
const user = fc.constantFrom('alice', 'bob');
const browser = fc.constantFrom('phone', 'laptop');
const nth = fc.nat(9);

const limit = fc.constantFrom(undefined, 1, 2);
const maxIdle = fc.constantFrom(MAX_IDLE, MAX_IDLE, 2 * MAX_IDLE);
const mostly = fc.constantFrom(true, true, true, false);
const signIn = fc.tuple(replica, user, browser, fc.constantFrom(0, 0, 1, 60), mostly, fc.boolean());

const steps: fc.Arbitrary<Step>[] = [
  signIn.map((args) => new SignIn(...args)),
  signIn.map((args) => new SignIn(...args)),
  fc.tuple(replica, nth).map((args) => new SignInAgain(...args)),
  fc.tuple(replica, nth, browser).map((args) => new Replace(...args)),
  fc.tuple(replica, nth).map((args) => new Refresh(...args)),
  fc.tuple(replica, user, browser, fc.integer({ min: 1, max: 3 })).map((args) => new OneIdEndsLogin(...args)),
  fc.tuple(replica, user, browser, fc.integer({ min: 1, max: 3 })).map((args) => new OneIdEndsReusedLogin(...args)),
  fc.tuple(replica, user, browser, fc.constantFrom(0, 1, 60)).map((args) => new OneIdEndsLoginOfUser(...args)),
  fc.tuple(replica, user, fc.constantFrom(0, 1, 60), fc.boolean()).map((args) => new OneIdEndsUser(...args)),
  fc.tuple(replica, user, browser, fc.boolean()).map((args) => new OneIdEndsLoginAndUser(...args)),
  fc.tuple(replica, user, browser).map((args) => new FrontChannel(...args)),
  fc.tuple(replica, nth).map((args) => new UserLogsOut(...args)),
  fc.tuple(replica, nth).map((args) => new AdminEndsSession(...args)),
  fc.tuple(replica, user).map((args) => new AdminEndsUser(...args)),
  fc.tuple(replica, user).map((args) => new AdminErasesUser(...args)),
  fc
    .tuple(replica, fc.constantFrom('issuer' as const, 'client' as const, 'another client' as const))
    .map((args) => new AdminEndsEveryone(...args)),
  replica.map((n) => new Outage(n)),
  fc.tuple(replica, fc.constantFrom(1, SECOND, 61 * SECOND, DAY, 29 * DAY)).map((args) => new TimePasses(...args)),
  fc.tuple(replica, fc.constantFrom(0, -10 * SECOND, -2 * DAY, 2 * DAY)).map((args) => new DatabaseClockJumps(...args)),
  replica.map((n) => new Housekeeping(n)),
  fc.tuple(replica, limit, maxIdle).map((args) => new Restart(...args)),
];

/** Steps of hours, in which sessions are idle or not. */
const idleSteps: fc.Arbitrary<Step>[] = [
  ...[1, 2, 3].map(() => fc.tuple(replica, nth).map((args) => new Use(...args))),
  ...[1, 2].map(() => replica.map((n) => new IdleSessionsEnd(n))),
  ...[1, 2, 3].map(() =>
    fc
      .tuple(replica, fc.constantFrom(2 * MINUTE, 20 * MINUTE, 40 * MINUTE, 55 * MINUTE, 70 * MINUTE))
      .map((args) => new TimePasses(...args)),
  ),
];

const runs = Number(process.env['MODEL_RUNS'] ?? 2000);

interface Case {
  readonly name: string;
  readonly database: DatabaseKind;
  readonly endsIdleSessions: boolean;
  readonly numRuns: number;
}

const casesOf = (database: DatabaseKind, numRuns: number, idleRuns: number): Case[] => [
  { name: database.name, database, endsIdleSessions: false, numRuns },
  { name: `${database.name} with maxIdleSeconds`, database, endsIdleSessions: true, numRuns: idleRuns },
];

const cases = [
  ...casesOf(sqlite, runs, Math.ceil(runs / 4)),
  ...casesOf(postgres, Math.ceil(runs / 20), Math.ceil(runs / 40)),
];

describe.each(cases)('attack 5: random steps in random order, on $name', ({ database, endsIdleSessions, numRuns }) => {
  let testDatabase: TestDatabase;
  let real: Real;
  beforeAll(async () => {
    testDatabase = await database.take();
    real = new Real(testDatabase, endsIdleSessions);
    await real.boot(undefined);
  });
  afterAll(async () => {
    for (const replica of real.replicas) await replica.close();
    await testDatabase.drop();
  });

  const allSteps = endsIdleSessions ? [...steps, ...idleSteps] : steps;
  // the limit counts only sessions that are not idle: each option has its own runs
  const limits = endsIdleSessions ? fc.constant(undefined) : limit;

  it(`P4, P5: every ended session stays refused, and every other session stays alive (${numRuns} runs)`, async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.commands(allSteps, { maxCommands: 25 }), async (first, commands) => {
        if (real.limit !== first || real.maxIdle !== MAX_IDLE) await real.boot(first);
        await real.at(0).clear();
        await fc.asyncModelRun(() => ({ model: new Model(first, endsIdleSessions), real }), commands);
      }),
      { numRuns },
    );
  }, 600_000);
});
