import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { type MonoTypeOperatorFunction, Observable, takeUntil } from 'rxjs';
import { type RejectionReason, SessionRejectedError, StoreUnavailableError } from '../oneid-logout.errors.js';
import { openingOf, rememberOpening } from '../guard/context-request.js';
import { SessionLiveness } from '../guard/liveness.js';
import { type SessionFacts } from '../rule/session.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { OpenConnections, type SessionEnding } from './open-connections.js';
import { type SocketClient, socketOf } from './sockets.js';

/** Codes of RFC 6455 §7.4: 4401 is what GraphQL over WebSocket uses for it, 1012 and 1013 say to try again. */
const CLOSE_CODES: Readonly<Record<RejectionReason | SessionEnding | 'server_error', number>> = {
  logged_out: 4401,
  expired: 4401,
  unknown: 4401,
  missing: 4401,
  out_of_sync: 1013,
  shutting_down: 1012,
  server_error: 1011,
};

const NO_REQUEST = 'SessionConnections.accept() needs the request that opened the socket, as its second argument';

/**
 * Closes what is open under a session when the session is over: streams, and sockets of `ws` and socket.io.
 *
 * Over means logged out, on whichever replica; expired; or that this replica has not been able to see the logouts of the
 * others for longer than the option `maxConnectionStaleness`.
 */
@Injectable()
export class SessionConnections implements OnModuleDestroy {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly liveness: SessionLiveness,
    private readonly connections: OpenConnections,
  ) {}

  /** Emits once, with the reason, when the session is over, and completes; at once when it is over already. */
  over(session: SessionFacts): Observable<SessionEnding> {
    return new Observable((subscriber) =>
      this.connections.add(session, (ending) => {
        subscriber.next(ending);
        subscriber.complete();
      }),
    );
  }

  /**
   * Completes a stream when the session is over.
   *
   * @example
   * ```ts
   * @Sse('news')
   * @UseGuards(SessionAliveGuard)
   * news(@CurrentSession() session: SessionFacts) {
   *   return this.feed.pipe(this.connections.whileAlive(session));
   * }
   * ```
   */
  whileAlive<T>(session: SessionFacts): MonoTypeOperatorFunction<T> {
    return takeUntil(this.over(session));
  }

  /**
   * For a gateway's `handleConnection`: finds the session that the opening request carries, lets no message through
   * before it is known to be alive, and closes the socket when it is not, or is over. Lets {@link SessionAliveGuard} find
   * the session of the gateway's messages.
   *
   * `ws` closes with 4401 and the reason as text (1013 when the store could not be asked); to socket.io `session_over` is
   * emitted with `{ reason }` before it is disconnected.
   *
   * @param request the second argument of `handleConnection` with `ws`; socket.io keeps it itself
   * @returns the session, or undefined when the socket has been closed
   */
  async accept(client: SocketClient, request?: SessionRequest): Promise<SessionFacts | undefined> {
    const socket = socketOf(client);
    const opening = request ?? openingOf(client);
    if (opening !== undefined) rememberOpening(client, opening);
    const gone = new AbortController();
    if (socket.isClosed()) gone.abort();
    socket.onClosed(() => {
      gone.abort();
    });
    const finding = this.find(opening);
    socket.hold(finding.then((found) => typeof found !== 'string'));
    const found = await finding;
    const close = (reason: keyof typeof CLOSE_CODES) => {
      socket.close(CLOSE_CODES[reason], reason);
    };
    if (typeof found === 'string') {
      close(found);
      return undefined;
    }
    if (!gone.signal.aborted) gone.signal.addEventListener('abort', this.connections.add(found, close));
    return found;
  }

  /** Nobody waits for a gateway's `handleConnection`: what went wrong has to be told here. */
  private async find(opening: SessionRequest | undefined): Promise<SessionFacts | keyof typeof CLOSE_CODES> {
    try {
      this.liveness.requireResolvers();
      if (opening === undefined) throw new TypeError(NO_REQUEST);
      return await this.liveness.requireAlive(await this.liveness.resolveSession(opening));
    } catch (error) {
      if (error instanceof SessionRejectedError) return error.reason;
      if (error instanceof StoreUnavailableError) return 'out_of_sync';
      this.logger.error(`A socket could not be accepted: ${String(error)}`);
      return 'server_error';
    }
  }

  onModuleDestroy(): Promise<void> {
    return this.connections.close();
  }
}
