import { BackgroundJob } from '../background-job.js';
import { type Clock } from '../clock.js';
import { type LogoutFollower } from '../sessions/logout-follower.js';
import { type SessionLiveness } from '../sessions/liveness.js';
import { ends, type LogoutFact } from '../sessions/rule.js';
import { type SessionFacts, targetsOf } from '../sessions/session.js';
import { type SessionEvents } from '../sessions/session-events.js';

/** Why a session is over for what is open under it. */
export type SessionEnding = 'logged_out' | 'expired' | 'unknown' | 'out_of_sync';

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
    this.begin();
    const connection: Connection = { session, targets: targetsOf(session), close };
    this.connections.add(connection);
    for (const target of connection.targets) {
      this.byTarget.set(target, (this.byTarget.get(target) ?? new Set()).add(connection));
    }
    void this.checkOnce(connection);
    return () => {
      this.forget(connection);
    };
  }

  protected work(): Promise<void> {
    const outOfSync = this.follower.lag > this.maxStaleness;
    const now = this.follower.databaseNow() ?? this.clock.now();
    for (const connection of this.connections) {
      if (outOfSync) this.end(connection, 'out_of_sync');
      else if (now >= (connection.session.expiresAt ?? Infinity)) this.end(connection, 'expired');
    }
    return Promise.resolve();
  }

  private begin(): void {
    if (this.started) return;
    this.started = true;
    this.events.published.subscribe((logouts) => {
      for (const logout of logouts) this.endAll(logout);
    });
    this.start();
  }

  /** Of what was recorded between the guard's check and now nobody has told: the store, or the follower, knows. */
  private async checkOnce(connection: Connection): Promise<void> {
    try {
      await this.follower.open();
      const ending = await this.liveness.findEnding(connection.session);
      if (ending !== undefined) this.end(connection, ending);
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
