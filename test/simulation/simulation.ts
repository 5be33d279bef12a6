import { createHash } from 'node:crypto';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { type SessionRequest } from 'nestjs-oneid-logout';
import {
  ClocksDifferError,
  ProviderUnavailableError,
  SessionEndedError,
  StoreUnavailableError,
} from '../../libs/oneid-logout/src/oneid-logout.errors.js';
import { type FormRequest } from '../../libs/oneid-logout/src/http/form-body.js';
import { FaultTimes } from './fault-times.js';
import { type AskedLogout, Judge, shown, type SignedIn } from './judge.js';
import { type Action, type FaultKind, type Plan } from './plan.js';
import { Prng } from './prng.js';
import { type Parts, Replica } from './replica.js';
import { type EmptyTables, SimulatedDatabase } from './simulated-database.js';
import { ISSUER, SimulatedOneId } from './simulated-oneid.js';
import { type Actor, World } from './world.js';

/** What a run has shown. */
export interface Outcome {
  readonly violations: readonly string[];
  /** A hash of everything that happened: two runs of one plan have the same. */
  readonly trace: string;
  readonly virtualMs: number;
  readonly requests: number;
  readonly logouts: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly statements: number;
  /** Only on request: what happened, one line each. */
  readonly story: readonly string[];
}

/** How long a message from a browser or from OneID is under way, milliseconds. */
const WAY = [1, 40] as const;

/** After so long, OneID hangs up, milliseconds; and its pauses after the first and the second attempt, as Hydra v2. */
const ATTEMPT = 30_000;
const PAUSES = [1_000, 2_000] as const;

/** An app repeats a sign-in that got 503, after this time: milliseconds. */
const SIGN_IN_PAUSE = 1_500;
const SIGN_IN_TRIES = 3;

/** When the last requests begin: all sessions on all replicas, milliseconds before the end. */
const LAST_REQUESTS = 5_000;

/** Runs a plan to its end. */
export async function simulate(plan: Plan, tables: EmptyTables, tellsStory = false): Promise<Outcome> {
  const simulation = new Simulation(plan, tables, tellsStory);
  try {
    return await simulation.run();
  } finally {
    await simulation.close();
  }
}

class Simulation {
  private readonly world = new World();
  private readonly faults: FaultTimes;
  private readonly judge: Judge;
  private readonly database: SimulatedDatabase;
  private readonly oneId: SimulatedOneId;
  private readonly replicas: Replica[];
  private readonly prng: Prng;
  private readonly trace = createHash('sha256');
  private readonly story: string[] = [];
  private readonly sessions = new Map<number, SignedIn>();
  /** How often each login has ended at OneID: the next sign-in gets another `sid`. */
  private readonly ends = new Map<number, number>();
  private readonly counts = { requests: 0, logouts: 0, statements: 0 };
  /** Of a logout token: the processes that it has reached. */
  private readonly reached = new Map<AskedLogout, Set<Actor>>();

  constructor(
    private readonly plan: Plan,
    tables: EmptyTables,
    private readonly tellsStory: boolean,
  ) {
    const { world } = this;
    this.faults = new FaultTimes(plan.faults);
    this.judge = new Judge(plan, this.faults);
    this.prng = new Prng(`${plan.seed}/run`);
    const executed = (server: string, sql: string, result: { readonly affected: number } | Error) => {
      this.counts.statements += 1;
      const words = sql.trim().slice(0, 60).replace(/\s+/g, ' ');
      this.note(`${server}: ${words} -> ${result instanceof Error ? result.message : result.affected}`, false);
      if (/^DELETE FROM \S*session_tokens/.test(words)) this.tokensErased();
    };
    this.database = new SimulatedDatabase(world, this.faults, plan, this.prng.fork('database'), tables, { executed });
    this.oneId = new SimulatedOneId(world, this.faults, this.prng.fork('oneid'), plan.logoutScope, {
      made: (token) => this.judge.noteMade(token),
      asked: (token) => {
        this.note(`a replica asks OneID to revoke the refresh token of session ${token.session}`);
        this.judge.revoked(token, world.now);
      },
    });
    const nudge = (from: number) => this.nudge(from);
    const around = { world, plan, prng: this.prng.fork('replicas'), database: this.database, oneId: this.oneId, nudge };
    this.replicas = plan.replicas.map((_settings, number) => new Replica(number, around));
  }

  async run(): Promise<Outcome> {
    const { world, plan } = this;
    for (const replica of this.replicas) replica.start();
    await endOfTurn();
    this.planFaults();
    for (const action of plan.actions) world.at(action.at, () => this.act(action));
    await world.runUntil(plan.end - LAST_REQUESTS);
    this.askAll();
    await world.runUntil(plan.end);
    this.judge.end(world.now);
    const faults: Partial<Record<FaultKind, number>> = {};
    for (const { kind } of plan.faults) faults[kind] = (faults[kind] ?? 0) + 1;
    return {
      violations: this.judge.violations,
      trace: this.trace.digest('hex'),
      virtualMs: world.now,
      ...this.counts,
      faults,
      story: this.story,
    };
  }

  async close(): Promise<void> {
    for (const replica of this.replicas) replica.kill();
    await endOfTurn();
    this.database.close();
  }

  private planFaults(): void {
    const { world, faults } = this;
    for (const { replica, from, to, timersFirst, kind } of [...faults.of('stall'), ...faults.of('suspend')]) {
      world.at(from, () => this.replicas[replica]?.stall(to, timersFirst, kind === 'suspend'));
    }
    for (const { replica, at, byMs } of faults.of('wallClock')) {
      world.at(at, () => this.replicas[replica]?.stepClock(byMs));
    }
    for (const { replica: number, at, downMs, killed } of faults.of('restart')) {
      const replica = this.replicas[number];
      if (replica === undefined) continue;
      world.at(at, () => {
        if (killed) replica.kill();
        else replica.stop();
      });
      world.at(at + downMs, () => {
        if (replica.process === undefined) replica.start();
      });
    }
    for (const fault of faults.all) {
      world.at('at' in fault ? fault.at : fault.from, () => this.note(`fault: ${JSON.stringify(fault)}`));
    }
  }

  private act(action: Action): void {
    switch (action.do) {
      case 'signIn':
        this.signIn(action);
        break;
      case 'request':
        this.request(action.session, action.replica);
        break;
      case 'refresh':
        this.refresh(action.session, action.replica);
        break;
      case 'backchannel': {
        const sid = this.sidOf(action.login);
        this.ends.set(action.login, (this.ends.get(action.login) ?? 0) + 1);
        this.deliver({ sid }, action.replicas);
        break;
      }
      case 'backchannelOfUser':
        this.deliver({ sub: this.subOf(action.user) }, action.replicas);
        break;
      case 'frontchannel':
        this.frontchannel(this.sidOf(action.login), action.replica);
        break;
      case 'logOut':
      case 'endSession':
      case 'endUser':
      case 'endEveryone':
        this.endByHand(action);
    }
  }

  private signIn({ session: number, login, user, replica, replaces }: Extract<Action, { do: 'signIn' }>): void {
    const { oneId, world } = this;
    const [sid, sub] = [this.sidOf(login), this.subOf(user)];
    const idToken = oneId.idToken(sid, sub);
    const began = world.now;
    const session: SignedIn = { number, sid, sub, iat: oneId.seconds, began };
    this.sessions.set(number, session);
    this.judge.noteSignIn(session);
    const token = oneId.refreshToken(number);
    const old = replaces === undefined ? undefined : this.sessions.get(replaces);
    const what = `the sign-in of session ${number} (${sid}, ${sub})`;
    const oldToken = old?.registered?.sessionToken;
    const replaced =
      old === undefined || oldToken === undefined
        ? undefined
        : this.logout(`${what}, which replaces session ${old.number}`, 'replaced', { session: old.number });
    const attempt = (n: number) => {
      const arrivedAt = world.now;
      this.at(replica + n, async ({ registry }, on) => {
        try {
          const options = { idToken, refreshToken: token.text, replaces: oldToken };
          const { id, sessionToken } = await registry.register(options);
          this.note(`${what} is registered by replica ${on}`);
          this.judge.noteHanded(number, token);
          session.registered = { at: world.now, id, sessionToken };
          if (replaced !== undefined) replaced.acknowledgedAt = world.now;
        } catch (error) {
          this.note(`${what} is refused by replica ${on}: ${String(error)}`);
          if (error instanceof SessionEndedError) {
            this.judge.noteHanded(number, token);
            this.judge.refusedSignIn(session, world.now);
          } else if (isUnavailable(error)) {
            this.judge.failedWrite(what, on, arrivedAt, world.now);
            if (n < SIGN_IN_TRIES) world.after(SIGN_IN_PAUSE, () => attempt(n + 1));
          } else this.judge.unexpected(what, world.now, error);
        }
      });
    };
    attempt(0);
  }

  private request(number: number, replica: number): void {
    const { world } = this;
    const sessionToken = this.sessions.get(number)?.registered?.sessionToken;
    if (sessionToken === undefined) return;
    const arrivedAt = world.now;
    this.at(replica, async ({ judge }, on) => {
      this.counts.requests += 1;
      let said: string;
      try {
        const verdict = await judge.judge({ sessionToken });
        said = 'alive' in verdict ? 'alive' : verdict.reason;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) this.judge.unexpected('a request', world.now, error);
        said = 'unavailable';
      }
      this.note(`a request of session ${number}, arrived at ${shown(arrivedAt)}, on replica ${on}: ${said}`);
      this.judge.answered({ session: number, replica: on, arrivedAt, answeredAt: world.now, said });
    });
  }

  private refresh(number: number, replica: number): void {
    const { world, oneId } = this;
    const session = this.sessions.get(number);
    if (session?.registered === undefined) return;
    const { id } = session.registered;
    const token = oneId.refreshToken(number);
    const arrivedAt = world.now;
    this.at(replica, async ({ registry }, on) => {
      try {
        await registry.refresh(id, { refreshToken: token.text });
        this.judge.noteHanded(number, token);
        this.note(`the tokens of session ${number} are refreshed`);
      } catch (error) {
        this.note(`the refresh of session ${number} fails: ${String(error)}`);
        if (error instanceof SessionEndedError) {
          this.judge.noteHanded(number, token);
          this.judge.refusedSignIn(session, world.now);
        } else if (isUnavailable(error)) {
          this.judge.failedWrite(`the refresh of session ${number}`, on, arrivedAt, world.now);
        } else this.judge.unexpected('a refresh', world.now, error);
      }
    });
  }

  /** OneID sends a logout token, as Hydra v2 does. */
  private deliver(of: { readonly sid: string } | { readonly sub: string }, replicas: readonly number[]): void {
    const { world, oneId, faults, prng } = this;
    const token = oneId.logoutToken(of);
    const logout = this.logout(`the back-channel logout of ${Object.values(of).join()}`, 'backchannel', of);
    const reached = new Set<Actor>();
    this.reached.set(logout, reached);
    const attempt = (n: number) => {
      const began = world.now;
      let isOver = false;
      const over = (retryAfterMs?: number) => {
        if (isOver) return;
        isOver = true;
        const pause = PAUSES[n];
        if (pause !== undefined) world.after(retryAfterMs ?? pause, () => attempt(n + 1));
      };
      world.after(ATTEMPT, over);
      const isLost = () => {
        const lost = faults.at('lostNotifications', world.now);
        return lost !== undefined && prng.chance(lost.chance);
      };
      if (isLost()) return;
      const number = replicas[n] ?? 0;
      if (this.serving(number) === undefined) {
        world.after(prng.between(...WAY), () => over());
        return;
      }
      this.at(number, async ({ backchannel }, on, process) => {
        reached.add(process);
        const answer = await backchannel.answer(formOf(token));
        this.note(`${logout.what} is answered by replica ${on}: ${answer.status}`);
        if (answer.status === 200) logout.acknowledgedAt ??= world.now;
        else if (answer.status === 503) this.judge.failedWrite(logout.what, on, began, world.now);
        else this.judge.unexpected(logout.what, world.now, new Error(`answered ${answer.status} ${answer.body}`));
        if (isLost()) return;
        world.after(prng.between(...WAY), () => {
          if (answer.status !== 200) over(Number(answer.headers?.['Retry-After']) * 1000);
          else isOver = true;
        });
      });
    };
    world.after(prng.between(...WAY), () => attempt(0));
  }

  private frontchannel(sid: string, replica: number): void {
    const { world } = this;
    const logout = this.logout(`the front-channel logout of ${sid}`, 'frontchannel', { sid });
    this.at(replica, async ({ frontchannel }, on) => {
      const request: SessionRequest = { headers: {} };
      const { status } = await frontchannel.answer(request, new URLSearchParams({ iss: ISSUER, sid }));
      this.note(`${logout.what} is answered by replica ${on}: ${status}`);
      if (status === 200) logout.acknowledgedAt = world.now;
      else if (status === 503) this.judge.failedWrite(logout.what, on, logout.began, world.now);
      else this.judge.unexpected(logout.what, world.now, new Error(`answered ${status}`));
    });
  }

  private endByHand(action: Extract<Action, { do: 'logOut' | 'endSession' | 'endUser' | 'endEveryone' }>): void {
    const { world } = this;
    const session = 'session' in action ? this.sessions.get(action.session) : undefined;
    if ('session' in action && session?.registered === undefined) return;
    const logout =
      action.do === 'endEveryone'
        ? this.logout('the end of everyone', 'admin', 'everyone')
        : action.do === 'endUser'
          ? this.logout(`the end of ${this.subOf(action.user)}`, 'admin', { sub: this.subOf(action.user) })
          : action.do === 'logOut'
            ? this.logout(`the logout of session ${action.session} by its user`, 'app', { sid: session?.sid ?? '' })
            : this.logout(`the end of session ${action.session}`, 'admin', { session: action.session });
    this.at(action.replica, async ({ registry, recorder, judge }, on) => {
      try {
        if (action.do === 'endEveryone') await registry.endEveryone({ issuer: ISSUER });
        else if (action.do === 'endUser') await registry.endAll({ sub: this.subOf(action.user) });
        else if (action.do === 'endSession') await registry.end(session?.registered?.id ?? '');
        else {
          const { sessionToken = '' } = session?.registered ?? {};
          const alive = await judge.findAnyAlive({ sessionToken });
          // nothing to log out
          if (alive === undefined) return;
          await recorder.endLogin(alive);
        }
        logout.acknowledgedAt = world.now;
        this.note(`${logout.what} is done by replica ${on}`);
      } catch (error) {
        this.note(`${logout.what} fails on replica ${on}: ${String(error)}`);
        const clocks = this.faults.of('wallClock').length + this.faults.of('databaseClock').length;
        if (error instanceof ClocksDifferError && clocks > 0) return;
        if (isUnavailable(error)) this.judge.failedWrite(logout.what, on, logout.began, world.now);
        else this.judge.unexpected(logout.what, world.now, error);
      }
    });
  }

  /** The last requests: what was acknowledged, or reached a process that still runs, must hold on every replica. */
  private askAll(): void {
    for (const [logout, processes] of this.reached) {
      const runs = this.replicas.some(({ process }) => process !== undefined && processes.has(process));
      if (runs && logout.acknowledgedAt === undefined) {
        logout.acknowledgedAt = this.world.now;
        this.note(`${logout.what} must be recorded by now: the process that it has reached still runs`);
      }
    }
    for (const number of this.sessions.keys())
      for (const { number: replica } of this.replicas) this.request(number, replica);
  }

  private logout(what: string, channel: AskedLogout['channel'], names: AskedLogout['names']): AskedLogout {
    const { now: began } = this.world;
    this.counts.logouts += 1;
    const logout = { what, channel, names, began, ...(channel === 'backchannel' && { iat: this.oneId.seconds }) };
    this.judge.noteLogout(logout);
    this.note(`${what} begins`);
    return logout;
  }

  /** Runs in a process of this replica, or of the next one that serves: a load balancer leaves out the others. */
  private at(replica: number, run: (parts: Parts, replica: number, process: Actor) => Promise<void>): void {
    const serving = this.serving(replica);
    if (serving === undefined) return;
    const { process, parts, number } = serving;
    this.world.at(this.world.now, () => void run(parts, number, process), process);
  }

  private serving(replica: number): { process: Actor; parts: Parts; number: number } | undefined {
    for (let n = 0; n < this.replicas.length; n++) {
      const { process, parts, number } = this.replicas[(replica + n) % this.replicas.length] ?? {};
      if (process !== undefined && parts !== undefined && number !== undefined) return { process, parts, number };
    }
    return undefined;
  }

  private nudge(from: number): void {
    const { world, faults, prng } = this;
    for (const replica of this.replicas) {
      const { number, process } = replica;
      const lost = faults.at('lostNudges', world.now);
      if (number === from || process === undefined || (lost !== undefined && prng.chance(lost.chance))) continue;
      world.after(prng.between(...WAY), () => process.hear(), process);
    }
  }

  private tokensErased(): void {
    const rows = this.database.read('SELECT session_id FROM oneid_session_tokens');
    this.judge.tokensErased(new Set(rows.map((row) => String(row['session_id']))), this.world.now);
  }

  private sidOf(login: number): string {
    // in the normal form D, with an accent of its own
    return `sid-e\u0301-${login}-${this.ends.get(login) ?? 0}`;
  }

  private subOf(user: number): string {
    return `user-e\u0301-${user}`;
  }

  private note(line: string, forPeople = true): void {
    const whole = `${shown(this.world.now)} ${line}`;
    this.trace.update(`${whole}\n`);
    if (this.tellsStory && forPeople) this.story.push(whole);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof ProviderUnavailableError;
}

function formOf(token: string): FormRequest {
  return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: { logout_token: token } };
}
