import { type LogoutFact } from '../rule/logout.js';
import { BackgroundJob } from '../background-job.js';
import { type Clock } from '../clock.js';
import { type LogoutFollower } from '../replicas/logout-follower.js';
import { type SessionLiveness } from '../guard/liveness.js';
import { ends } from '../rule/rule.js';
import { type SessionFacts, targetsOf } from '../rule/session.js';
import { type SessionEvents } from '../sessions/session-events.js';

/** Why a session is over for what is open under it. */
export type SessionEnding = 'logged_out' | 'expired' | 'unknown' | 'out_of_sync' | 'shutting_down';

/** How often to look for sessions that have expired, milliseconds. */
const SWEEP_INTERVAL = 1_000;

interface Connection {
  readonly session: SessionFacts;
  readonly targets: readonly string[];
  readonly close: (ending: SessionEnding) => void;
}

/** What is open in this process under a session, by what a logout may be aimed at. */
export class OpenConnections extends BackgroundJob {
  private readonly connections = new Set<Connection>();
  private readonly byTarget = new Map<string, Set<Connection>>();
  private started = false;
  private closed = false;
  /** Up to which reading of the logouts all that is open has been checked. */
  private checked: number | undefined;
  private checking = false;

  constructor(
    private readonly events: SessionEvents,
    private readonly follower: LogoutFollower,
    private readonly liveness: SessionLiveness,
    private readonly clock: Clock,
    /** How long the logouts of other replicas may be out of sight, milliseconds. */
    private readonly maxStaleness: number,
  ) {
    super('look for open connections of expired sessions', SWEEP_INTERVAL);
  }

  get size(): number {
    return this.connections.size;
  }

  /**
   * @param close called once, when the session is over
   * @returns forgets it: it is closed already
   */
  add(session: SessionFacts, close: (ending: SessionEnding) => void): () => void {
    const connection: Connection = { session, targets: targetsOf(session), close };
    if (this.closed) {
      close('shutting_down');
      return () => undefined;
    }
    this.begin();
    this.connections.add(connection);
    for (const target of connection.targets) {
      this.byTarget.set(target, (this.byTarget.get(target) ?? new Set()).add(connection));
    }
    void this.checkOnce(connection);
    return () => {
      this.forget(connection);
    };
  }

  /** A server waits for what is open before it stops, and nobody would tell it any more when a session is over. */
  async close(): Promise<void> {
    this.closed = true;
    for (const connection of this.connections) this.end(connection, 'shutting_down');
    await this.stop();
  }

  protected async work(): Promise<void> {
    // our clock may have gone ahead, and nothing else be wrong
    if (this.isOutOfSync) await this.follower.wake();
    const outOfSync = this.isOutOfSync;
    const now = this.follower.databaseNow() ?? this.clock.now();
    for (const connection of this.connections) {
      if (outOfSync) this.end(connection, 'out_of_sync');
      else if (now >= (connection.session.expiresAt ?? Infinity)) this.end(connection, 'expired');
    }
    void this.checkAll(this.follower.generation);
  }

  /** Where the follower may have missed something, the store is asked once more, one after the other. */
  private async checkAll(reading: number): Promise<void> {
    if (this.checked === undefined || this.checked === reading || this.checking) return;
    this.checking = true;
    try {
      for (const connection of [...this.connections]) await this.check(connection);
      this.checked = reading;
    } catch {
      // the store has failed again: the next sweep does it, or closes them all
    } finally {
      this.checking = false;
    }
  }

  private async check(connection: Connection): Promise<void> {
    if (this.closed || !this.connections.has(connection)) return;
    const ending = await this.liveness.findEnding(connection.session);
    if (ending !== undefined) this.end(connection, ending);
  }

  private get isOutOfSync(): boolean {
    return (this.follower.stalenessMs ?? 0) > this.maxStaleness;
  }

  private begin(): void {
    if (this.started) return;
    this.started = true;
    this.events.published.subscribe((logout) => {
      this.endAll(logout);
    });
    this.start();
  }

  /** Of what was recorded between the guard's check and now nobody has told: the store, or the follower, knows. */
  private async checkOnce(connection: Connection): Promise<void> {
    try {
      await this.follower.open();
      this.checked ??= this.follower.generation;
      await this.check(connection);
    } catch {
      this.end(connection, 'out_of_sync');
    }
  }

  private endAll(logout: LogoutFact): void {
    for (const connection of this.byTarget.get(logout.target) ?? []) {
      if (ends(logout, connection.session, connection.targets)) this.end(connection, 'logged_out');
    }
  }

  private end(connection: Connection, ending: SessionEnding): void {
    if (this.forget(connection)) connection.close(ending);
  }

  private forget(connection: Connection): boolean {
    for (const target of connection.targets) {
      const aimed = this.byTarget.get(target);
      aimed?.delete(connection);
      if (aimed?.size === 0) this.byTarget.delete(target);
    }
    return this.connections.delete(connection);
  }
}
