import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type MonoTypeOperatorFunction, Observable, takeUntil } from 'rxjs';
import { Logger } from '../logger.js';
import { Clock } from '../clock.js';
import { type RejectionReason, StoreUnavailableError } from '../oneid-logout.errors.js';
import { openingOf, rememberOpening } from '../guard/context-request.js';
import { SessionJudge } from '../guard/session-judge.js';
import { isSameUser, type SessionFacts } from '../rule/session.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { forAppListeners } from '../sessions/app-listeners.js';
import { OpenConnections, type SessionEnding } from './open-connections.js';
import { HeldMemory } from './held-packets.js';
import { SocketRecovery } from './socket-recovery.js';
import { type SocketClient, socketOf } from './sockets.js';

/** Close codes (RFC 6455 §7.4): GraphQL over WebSocket uses 4401 for "unauthorized"; 1012 and 1013 mean "try again". */
const CLOSE_CODES: Readonly<Record<RejectionReason | SessionEnding | 'server_error', number>> = {
  logged_out: 4401,
  unconfirmed: 4401,
  expired: 4401,
  idle: 4401,
  unknown: 4401,
  missing: 4401,
  ambiguous: 4401,
  out_of_sync: 1013,
  shutting_down: 1012,
  server_error: 1011,
};

const UNCHECKED_RECOVERY =
  'socket.io has restored the state of a socket before SessionConnections could check its session, and the socket is ' +
  'closed. Call SessionConnections.accept() for every socket of the namespace, before any other work';

const NO_REQUEST = 'SessionConnections.accept() needs the request that opened the socket, as its second argument';

/**
 * Closes the open streams and the sockets (of `ws` and socket.io) of a session when the session is over.
 *
 * A session counts as over when it is logged out on any replica, when it has expired, when it is idle (`maxIdleSeconds`), when the
 * app shuts down, or when this replica has not seen the logouts of the others for longer than the option `maxConnectionStalenessMs`.
 *
 * @category Sessions
 * @hideconstructor
 * @example
 * ```ts
 * import { UseGuards } from '@nestjs/common';
 * import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
 * import { CurrentSession, SessionAliveGuard, SessionConnections, type SessionFacts } from 'nestjs-oneid-logout';
 * import { type SessionRequest, type SocketClient } from 'nestjs-oneid-logout';
 *
 * @WebSocketGateway()
 * export class ChatGateway implements OnGatewayConnection {
 *   constructor(private readonly connections: SessionConnections) {}
 *
 *   async handleConnection(client: SocketClient, request: SessionRequest): Promise<void> {
 *     await this.connections.accept(client, request);
 *   }
 *
 *   @SubscribeMessage('say')
 *   @UseGuards(SessionAliveGuard) // checks each message
 *   say(@CurrentSession() session: SessionFacts) {
 *     return { event: 'said', data: session.sub };
 *   }
 * }
 * ```
 */
@Injectable()
export class SessionConnections implements OnModuleDestroy {
  private readonly logger = new Logger('OneIdLogout');
  private readonly heldMemory = new HeldMemory();
  private readonly recovery: SocketRecovery;

  constructor(
    private readonly judge: SessionJudge,
    private readonly connections: OpenConnections,
    private readonly clock: Clock,
  ) {
    this.recovery = new SocketRecovery(judge, clock);
  }

  /**
   * Emits the reason once when the session is over, and completes. Checks at once whether it is already over.
   *
   * The library watches the session from the subscription on, until the session is over or the app unsubscribes.
   *
   * @param session for example from `@CurrentSession()`
   */
  over(session: SessionFacts): Observable<SessionEnding> {
    const over = new Observable<SessionEnding>((subscriber) =>
      this.connections.add(session, (ending) => {
        subscriber.next(ending);
        subscriber.complete();
      }),
    );
    return forAppListeners(over, 'SessionConnections.over()');
  }

  /**
   * Completes a stream when the session is over.
   *
   * @param session for example from `@CurrentSession()`
   * @returns an operator for `pipe()`: make it the last one, because an inner stream of a later operator goes on
   * @example
   * ```ts
   * import { Controller, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
   * import { CurrentSession, SessionAliveGuard, SessionConnections, type SessionFacts } from 'nestjs-oneid-logout';
   * import { interval, map, type Observable } from 'rxjs';
   *
   * @Controller()
   * export class NewsController {
   *   constructor(private readonly connections: SessionConnections) {}
   *
   *   @Sse('news')
   *   @UseGuards(SessionAliveGuard)
   *   read(@CurrentSession() session: SessionFacts): Observable<MessageEvent> {
   *     return interval(1000).pipe(
   *       map((seconds) => ({ data: { seconds } })),
   *       this.connections.whileAlive(session),
   *     );
   *   }
   * }
   * ```
   */
  whileAlive<T>(session: SessionFacts): MonoTypeOperatorFunction<T> {
    return takeUntil(this.over(session));
  }

  /**
   * For a gateway's `handleConnection`: finds the session that the opening request carries. Holds back messages until
   * it is certain that the session is alive. Closes the socket if the session is not alive, or later when it is over.
   * {@link SessionAliveGuard} can then find the session of the gateway's messages.
   *
   * A `ws` socket is closed with 4401 and the reason as text (1013 when the store could not answer). A socket.io client
   * gets the event `session_over` with `{ reason }`; then the socket is disconnected. A socket.io client is disconnected
   * without this event when it sends more than 1 MiB before it is accepted, or when all such sockets send more than 32 MiB.
   *
   * With socket.io's `connectionStateRecovery`, a client that comes back gets its rooms and what it has missed only while
   * the session that it had before is alive. If it comes back with the session of another user, the socket is closed with
   * `ambiguous`.
   *
   * @param client the first argument of `handleConnection`
   * @param request with `ws`, the second argument of `handleConnection`; a socket.io socket has the request itself
   * @returns the session, or undefined when this call has closed the socket
   * @throws {TypeError} the client is a socket of another library
   */
  async accept(client: SocketClient, request?: SessionRequest): Promise<SessionFacts | undefined> {
    const socket = socketOf(client, this.clock, this.heldMemory);
    this.recovery.watch(client);
    const opening = request ?? openingOf(client);
    if (opening !== undefined) rememberOpening(client, opening);
    // aborts when the socket is closed, which may happen before or after the session is found
    const gone = new AbortController();
    if (socket.isClosed()) gone.abort();
    socket.onClosed(() => {
      gone.abort();
    });
    const finding = this.find(client, opening);
    socket.hold(finding.then((found) => typeof found !== 'string'));
    const found = await finding;
    const close = (reason: keyof typeof CLOSE_CODES) => {
      socket.close(CLOSE_CODES[reason], reason);
    };
    if (typeof found === 'string') {
      close(found);
      return undefined;
    }
    if (!gone.signal.aborted) {
      gone.signal.addEventListener('abort', this.connections.add(found, close));
      gone.signal.addEventListener('abort', this.recovery.keep(client, this.judge.allOf(found)));
    }
    return found;
  }

  /** Nest does not wait for a gateway's `handleConnection`, so errors must be logged here. */
  private async find(
    client: SocketClient,
    opening: SessionRequest | undefined,
  ): Promise<SessionFacts | keyof typeof CLOSE_CODES> {
    try {
      this.judge.requireResolvers();
      if (opening === undefined) throw new TypeError(NO_REQUEST);
      const verdict = await this.judge.judge(await this.judge.resolveSession(opening));
      if ('reason' in verdict) return verdict.reason;
      const restored = this.recovery.sessionsOf(client);
      if (restored === undefined) throw new Error(UNCHECKED_RECOVERY);
      return restored.every((other) => isSameUser(other, verdict.alive)) ? verdict.alive : 'ambiguous';
    } catch (error) {
      if (error instanceof StoreUnavailableError) return 'out_of_sync';
      this.logger.error(`Could not accept a socket and closed it: ${String(error)}`);
      return 'server_error';
    }
  }

  /** @internal Closes all connections with `shutting_down`. */
  onModuleDestroy(): Promise<void> {
    return this.connections.close();
  }
}
