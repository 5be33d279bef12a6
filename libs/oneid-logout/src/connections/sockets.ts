import { type Clock } from '../clock.js';
import { Logger } from '../logger.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { letWatch } from '../watching.js';
import { type HeldMemory, HeldPackets } from './held-packets.js';

/** The members used here of a socket of the library `ws`. */
interface WebSocketClient {
  readonly readyState: number;
  close(code: number, reason: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  removeAllListeners(event: 'message'): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** The members used here of a server-side socket of socket.io. */
interface SocketIoClient {
  readonly connected: boolean;
  /** The connection below, which sockets of several namespaces may share. */
  readonly conn: { close(): unknown };
  disconnect(close: boolean): unknown;
  removeAllListeners(event: 'disconnecting'): unknown;
  emit(event: string, data: unknown): unknown;
  use(middleware: (packet: unknown, next: () => void) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

/**
 * A server-side socket of the library `ws` or of socket.io, as a gateway gets it in `handleConnection`.
 *
 * @category Sessions
 */
export type SocketClient = WebSocketClient | SocketIoClient;

/** How long a client may take to confirm the close, milliseconds; then the connection is cut. */
const CLOSE_PATIENCE = 1_000;

/** `readyState` of a WebSocket that is closing; a closed one has a higher value. */
const CLOSING = 2;

/** The same operations for both kinds of socket. */
export interface Socket {
  /** The app gets no message before `until` resolves to true. A socket that sends too much until then is closed. */
  hold(until: Promise<boolean>): void;
  /** @param code of RFC 6455 §7.4, for `ws`; socket.io has no close codes */
  close(code: number, reason: string): void;
  isClosed(): boolean;
  onClosed(listener: () => void): void;
}

/**
 * @param memory of the messages that are held back
 * @throws {TypeError} the client is a socket of neither library
 */
export function socketOf(client: SocketClient, clock: Clock, memory: HeldMemory): Socket {
  if ('terminate' in client && typeof client.terminate === 'function') return webSocket(client, clock);
  if ('disconnect' in client && typeof client.disconnect === 'function') return socketIo(client, memory);
  throw new TypeError('SessionConnections.accept() needs a server socket of ws or socket.io');
}

function webSocket(client: WebSocketClient, clock: Clock): Socket {
  return {
    hold(until) {
      client.pause();
      void until.finally(() => {
        client.resume();
      });
    },
    close(code, reason) {
      // the app must not get further messages, even if the client never confirms the close
      client.removeAllListeners('message');
      client.close(code, reason);
      const patience = clock.after(CLOSE_PATIENCE, () => client.terminate());
      client.once('close', () => patience.cancel());
    },
    isClosed: () => client.readyState >= CLOSING,
    onClosed: (listener) => client.once('close', listener),
  };
}

function socketIo(client: SocketIoClient, memory: HeldMemory): Socket {
  return {
    hold(until) {
      const held = new HeldPackets(memory);
      let state: 'held' | 'accepted' | 'closed' = 'held';
      const close = () => {
        state = 'closed';
        held.drop();
      };
      client.once('disconnect', close);
      client.use((packet, next) => {
        if (state === 'accepted') next();
        if (state !== 'held' || held.add(packet, next)) return;
        close();
        letWatch(() => {
          cutOff(client);
        }, report);
      });
      void until.then((accepted) => {
        if (!accepted) close();
        if (state !== 'held') return;
        state = 'accepted';
        held.release();
      });
    },
    close(_code, reason) {
      letWatch(() => {
        client.emit('session_over', { reason });
      }, report);
      letWatch(() => {
        cutOff(client);
      }, report);
    },
    isClosed: () => !client.connected,
    onClosed: (listener) => client.once('disconnect', listener),
  };
}

/** Disconnects a socket also if a listener of the app throws: socket.io itself would stop halfway. */
function cutOff(client: SocketIoClient): void {
  try {
    client.disconnect(true);
  } catch (error) {
    // these listeners run while the socket is still in its rooms
    client.removeAllListeners('disconnecting');
    letWatch(() => client.disconnect(true));
    client.conn.close();
    throw error;
  }
}

function report(error: unknown): void {
  new Logger('OneIdLogout').error(`A listener of a socket failed while the socket was closed: ${reasonOf(error)}`);
}
