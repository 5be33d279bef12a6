import { type Clock } from '../clock.js';
import { type SessionJudge } from '../guard/session-judge.js';
import { type SessionFacts } from '../rule/session.js';

/** What socket.io keeps of a socket that has lost its connection: its rooms, its data. */
interface SocketState {
  readonly pid: string;
  readonly [SESSIONS]?: readonly SessionFacts[] | undefined;
}

/** The members used here of a namespace's adapter. */
interface RecoveryAdapter {
  persistSession(state: SocketState): unknown;
  restoreSession(pid: string, offset: string): SocketState | null | Promise<SocketState | null>;
}

/** The members used here of a socket of a server with `connectionStateRecovery`. */
interface RecoverableSocket {
  /** socket.io's private id of the socket: a client that knows it may ask for the socket's state. */
  readonly pid: string;
  readonly nsp: { readonly adapter: RecoveryAdapter };
}

/** The name under which the sessions are in the state. No symbol: some adapters write the state to Redis or MongoDB. */
const SESSIONS = 'oneIdLogoutSessions';

/** How long `accept()` may come after socket.io has restored the state, milliseconds. */
const ACCEPT_PATIENCE = 60_000;

/**
 * Watches socket.io's connection state recovery. For a client that comes back, socket.io restores the rooms and sends
 * all that was emitted to them meanwhile, before any middleware or handler runs. So the adapter itself must ask first
 * whether the sessions are still alive. If they are not, the client gets a new socket without any state.
 */
export class SocketRecovery {
  private readonly watched = new WeakSet<RecoveryAdapter>();
  /** The sessions of the accepted sockets that are open, by `pid`. */
  private readonly open = new Map<string, readonly SessionFacts[]>();
  /** The sessions of restored sockets that are not accepted yet, by `pid`. */
  private readonly restored = new Map<string, readonly SessionFacts[]>();
  /** The sessions of restored sockets: several gateways may accept the same socket. */
  private readonly accepted = new WeakMap<object, readonly SessionFacts[]>();

  constructor(
    private readonly judge: SessionJudge,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes the adapter of the socket's namespace restore a state only while all sessions of the state are alive. A state
   * of a socket that was never accepted is not restored.
   */
  watch(client: object): void {
    if (!isRecoverable(client)) return;
    const { adapter } = client.nsp;
    if (this.watched.has(adapter)) return;
    this.watched.add(adapter);
    const persist = adapter.persistSession.bind(adapter);
    const restore = adapter.restoreSession.bind(adapter);
    adapter.persistSession = (state) => persist({ ...state, [SESSIONS]: this.open.get(state.pid) });
    adapter.restoreSession = async (pid, offset) => {
      // the sessions are judged after the state is read, so all that the state holds was emitted while they were alive
      const state = await restore(pid, offset);
      const sessions = state?.[SESSIONS];
      if (sessions === undefined || !(await this.areAlive(sessions))) return null;
      this.restored.set(pid, sessions);
      this.clock.after(ACCEPT_PATIENCE, () => {
        if (this.restored.get(pid) === sessions) this.restored.delete(pid);
      });
      return state;
    };
  }

  /**
   * @returns the sessions whose state the socket has got; none for a new socket; undefined if socket.io has restored a
   *   state without asking this object
   */
  sessionsOf(client: object): readonly SessionFacts[] | undefined {
    if (!('recovered' in client && client.recovered === true)) return [];
    const known = this.accepted.get(client);
    if (known !== undefined || !isRecoverable(client)) return known;
    const sessions = this.restored.get(client.pid);
    this.restored.delete(client.pid);
    if (sessions !== undefined) this.accepted.set(client, sessions);
    return sessions;
  }

  /** Remembers the sessions of an open socket. @returns a function to call when the socket has closed */
  keep(client: object, sessions: readonly SessionFacts[]): () => void {
    if (!isRecoverable(client)) return () => undefined;
    const { pid } = client;
    this.open.set(pid, sessions);
    return () => {
      this.open.delete(pid);
    };
  }

  private async areAlive(sessions: readonly SessionFacts[]): Promise<boolean> {
    const verdicts = await Promise.all(sessions.map((session) => this.judge.judgeAgain(session)));
    return verdicts.every((verdict) => 'alive' in verdict);
  }
}

function isRecoverable(client: object): client is RecoverableSocket {
  const { pid, nsp } = client as { readonly [Name in keyof RecoverableSocket]?: unknown };
  if (typeof pid !== 'string' || typeof nsp !== 'object' || nsp === null || !('adapter' in nsp)) return false;
  const { adapter } = nsp;
  return typeof adapter === 'object' && adapter !== null && 'restoreSession' in adapter && 'persistSession' in adapter;
}
