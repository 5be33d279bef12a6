import { type Logout, reasonOfEnd } from '../rule/logout.js';
import { BackgroundJob } from '../background-job.js';
import { Logger } from '../logger.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { type Clock } from '../clock.js';
import { type Random } from '../random.js';
import { type LogoutFollower } from '../replicas/logout-follower.js';
import { type SessionJudge } from '../guard/session-judge.js';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsByKind, targetsOf, usersOf } from '../rule/session.js';
import { type LogoutBus } from '../sessions/logout-bus.js';
import { type SessionRepository } from '../store/session.repository.js';
import { letWatch } from '../watching.js';

/**
 * Why the library closes the sockets and streams of a session:
 *
 * - `logged_out`: a logout has ended the session
 * - `unconfirmed`: after an outage, OneID must confirm the session again (option `reconfirmAfterOutageSeconds`)
 * - `expired`: the session has reached its absolute end
 * - `idle`: the session has not been used for `maxIdleSeconds`; an open stream or socket is no use
 * - `unknown`: the library no longer finds the session in its database
 * - `out_of_sync`: this replica has not seen the logouts of the others for longer than `maxConnectionStalenessMs`
 * - `shutting_down`: the app is shutting down
 *
 * @category Sessions
 */
export type SessionEnding =
  'logged_out' | 'unconfirmed' | 'expired' | 'idle' | 'unknown' | 'out_of_sync' | 'shutting_down';

/** How often to look for expired sessions and for a lost sync, milliseconds. */
const SWEEP_INTERVAL = 1_000;

/** How many connections are checked at the same time when their sessions may be idle. */
const MOST_CHECKS = 256;

/**
 * Over how long the closing of connections is spread when they are all over at once, milliseconds: otherwise all their
 * users would go to OneID at the same time. No message passes the guard meanwhile.
 */
const SPREAD = 5_000;

/** How many `sid`s one look for their users names. */
const MOST_SIDS = 256;

interface Connection {
  /** All sessions that the connection's request carried: the connection is over when one of them is. */
  sessions: readonly ConnectionSession[];
  readonly close: (ending: SessionEnding) => void;
  /** It closes within `SPREAD`. */
  isEnding?: boolean;
}

interface ConnectionSession {
  readonly facts: SessionFacts;
  readonly targets: readonly string[];
  /** For a token without `sub`: the target of its `sid`. Another user may sign in with this `sid`. */
  readonly sidOfToken?: string | undefined;
  /** Only with `maxIdleSeconds`: when to ask again whether the session is idle: the database's clock, milliseconds. */
  idleAt?: number | undefined;
}

/** The open sockets and streams of this process, indexed by the targets of their sessions. */
export class OpenConnections extends BackgroundJob {
  private readonly connections = new Set<Connection>();
  private readonly byTarget = new Map<string, Set<Connection>>();
  private started = false;
  private closed = false;
  /** The follower's generation for which all open connections have been checked. */
  private checkedGeneration: number | undefined;
  private checking = false;
  private lookingForUsers = false;
  private lookingForIdle = false;

  constructor(
    private readonly bus: LogoutBus,
    private readonly follower: LogoutFollower,
    private readonly judge: SessionJudge,
    private readonly repository: Pick<SessionRepository, 'findSignIns'>,
    clock: Clock,
    private readonly chance: Random,
    /** How long this replica may be unable to see the logouts of other replicas, milliseconds. */
    private readonly maxConnectionStalenessMs: number,
  ) {
    super('closing the open connections of dead sessions', SWEEP_INTERVAL, clock, chance);
  }

  get size(): number {
    return this.connections.size;
  }

  /**
   * @param session from the judge, which knows the other sessions of the same request
   * @param close called once, when the connection must be closed; if it throws, the log says so
   * @returns a function to call when the connection has closed by itself; `close` is then not called
   */
  add(session: SessionFacts, close: (ending: SessionEnding) => void): () => void {
    const sessions = this.judge.allOf(session).map(connectionSessionOf);
    const connection: Connection = {
      sessions,
      close: (ending) => {
        // one connection that fails must not keep the others open
        letWatch(() => {
          close(ending);
        }, report);
      },
    };
    if (this.closed) {
      connection.close('shutting_down');
      return () => undefined;
    }
    this.begin();
    this.connections.add(connection);
    this.addToIndex(connection);
    void this.checkOnce(connection);
    return () => {
      this.forget(connection);
    };
  }

  /**
   * Closes all connections. The server waits for its open connections before it stops, and from now on the library no
   * longer notices that their sessions are over.
   */
  async close(): Promise<void> {
    this.closed = true;
    for (const connection of this.connections) this.end(connection, 'shutting_down');
    await this.stop();
  }

  protected async work(): Promise<void> {
    // perhaps only our clock has stepped ahead: sync once more before closing
    if (this.isOutOfSync) await this.follower.wake();
    const outOfSync = this.isOutOfSync;
    const now = this.follower.databaseNow() ?? this.clock.now();
    for (const connection of this.connections) {
      if (outOfSync) this.end(connection, 'out_of_sync');
      else if (connection.sessions.some(({ facts: { expiresAt = Infinity } }) => now >= expiresAt))
        this.end(connection, 'expired');
    }
    void this.checkAll(this.follower.generation);
    void this.findUsers();
    void this.checkIdle(now);
  }

  /** A session may have been used since the last check, perhaps at another replica: only the store says that it is idle. */
  private async checkIdle(now: number): Promise<void> {
    if (this.lookingForIdle) return;
    const due = [...this.connections].filter(({ sessions }) => sessions.some(({ idleAt = Infinity }) => now >= idleAt));
    if (due.length === 0) return;
    this.lookingForIdle = true;
    try {
      for (let n = 0; n < due.length; n += MOST_CHECKS) {
        await Promise.all(due.slice(n, n + MOST_CHECKS).map((connection) => this.check(connection)));
      }
    } catch {
      // the next sweep asks again, or closes all connections
    } finally {
      this.lookingForIdle = false;
    }
  }

  /** After the follower may have missed logouts, asks the store about all connections again, one at a time. */
  private async checkAll(generation: number): Promise<void> {
    if (this.checkedGeneration === undefined || this.checkedGeneration === generation || this.checking) return;
    this.checking = true;
    try {
      for (const connection of [...this.connections]) await this.check(connection);
      this.checkedGeneration = generation;
    } catch {
      // the store has failed again: the next sweep retries, or closes all connections
    } finally {
      this.checking = false;
    }
  }

  private async check(connection: Connection): Promise<void> {
    for (const session of connection.sessions) {
      if (this.closed || !this.connections.has(connection)) return;
      const verdict = await this.judge.judgeAgain(session.facts);
      if ('alive' in verdict) session.idleAt = verdict.idleAt;
      if ('reason' in verdict) this.end(connection, verdict.reason);
      else if (usersOf(verdict.alive).some((user) => !session.targets.includes(user)))
        await this.checkForUsers(connection, session, verdict.alive);
    }
  }

  /** Once more with its new users: their logout may have been recorded before their targets were in the index. */
  private async checkForUsers(connection: Connection, session: ConnectionSession, facts: SessionFacts): Promise<void> {
    if (!this.connections.has(connection)) return;
    this.removeFromIndex(connection);
    connection.sessions = connection.sessions.map((one) => (one === session ? connectionSessionOf(facts) : one));
    this.addToIndex(connection);
    const verdict = await this.judge.judgeAgain(facts);
    if ('reason' in verdict) this.end(connection, verdict.reason);
  }

  /**
   * A token without `sub` becomes the token of each user who signs in with its `sid`, perhaps at another replica. Looks
   * for new users, and checks the connections of their tokens again.
   */
  private async findUsers(): Promise<void> {
    const sids = new Set<string>();
    for (const { sessions } of this.connections) {
      for (const { sidOfToken } of sessions) if (sidOfToken !== undefined) sids.add(sidOfToken);
    }
    if (sids.size === 0 || this.lookingForUsers) return;
    this.lookingForUsers = true;
    try {
      const all = [...sids];
      for (let n = 0; n < all.length && !this.closed; n += MOST_SIDS) {
        for (const { sid, user } of await this.repository.findSignIns(all.slice(n, n + MOST_SIDS))) {
          const lacksUser = ({ sidOfToken, targets }: ConnectionSession) =>
            sidOfToken === sid && !targets.includes(user);
          for (const connection of [...(this.byTarget.get(sid) ?? [])]) {
            if (connection.sessions.some(lacksUser)) await this.check(connection);
          }
        }
      }
    } catch {
      // the next sweep looks again
    } finally {
      this.lookingForUsers = false;
    }
  }

  private get isOutOfSync(): boolean {
    return (this.follower.stalenessMs ?? 0) > this.maxConnectionStalenessMs;
  }

  private begin(): void {
    if (this.started) return;
    this.started = true;
    this.bus.allLogouts.subscribe((logout) => {
      this.closeEndedBy(logout);
    });
    this.start();
  }

  /** A logout recorded between the guard's check and {@link add} causes no event here, so check once more. */
  private async checkOnce(connection: Connection): Promise<void> {
    try {
      await this.follower.open();
      this.checkedGeneration ??= this.follower.generation;
      await this.check(connection);
    } catch {
      this.end(connection, 'out_of_sync');
    }
  }

  private closeEndedBy(logout: Logout): void {
    for (const connection of this.byTarget.get(logout.target) ?? []) {
      if (connection.sessions.some(({ facts, targets }) => ends(logout, facts, targets)))
        this.end(connection, reasonOfEnd(logout.channel));
    }
  }

  private end(connection: Connection, ending: SessionEnding): void {
    if (ending === 'unconfirmed') this.endLater(connection);
    else if (this.forget(connection)) connection.close(ending);
  }

  private endLater(connection: Connection): void {
    if (connection.isEnding === true) return;
    connection.isEnding = true;
    this.clock.after(this.chance.fraction() * SPREAD, () => {
      if (this.forget(connection)) connection.close('unconfirmed');
    });
  }

  private forget(connection: Connection): boolean {
    this.removeFromIndex(connection);
    return this.connections.delete(connection);
  }

  private addToIndex(connection: Connection): void {
    for (const target of allTargetsOf(connection)) {
      this.byTarget.set(target, (this.byTarget.get(target) ?? new Set()).add(connection));
    }
  }

  private removeFromIndex(connection: Connection): void {
    for (const target of allTargetsOf(connection)) {
      const aimed = this.byTarget.get(target);
      aimed?.delete(connection);
      if (aimed?.size === 0) this.byTarget.delete(target);
    }
  }
}

function connectionSessionOf(facts: SessionFacts): ConnectionSession {
  const isToken = facts.id === undefined && facts.sub === undefined;
  return { facts, targets: targetsOf(facts), sidOfToken: isToken ? targetsByKind(facts).sid : undefined };
}

function allTargetsOf({ sessions }: Connection): readonly string[] {
  return sessions.flatMap(({ targets }) => targets);
}

function report(error: unknown): void {
  new Logger('OneIdLogout').error(`Closing a connection whose session is over failed: ${reasonOf(error)}`);
}
