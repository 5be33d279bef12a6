import { Injectable } from '@nestjs/common';
import { LogoutFollower } from '../replicas/logout-follower.js';
import { BackchannelWatch } from '../sessions/backchannel-watch.js';
import { LogoutInbox } from '../sessions/logout-inbox.js';
import { UndecidedTokens } from '../sessions/undecided-tokens.js';
import { OpenConnections } from './open-connections.js';

/**
 * The state of this replica, read by {@link ReplicaStatus}.
 *
 * @category Operation
 */
export interface ReplicaState {
  /**
   * The age of this replica's knowledge about the others' logouts, milliseconds: normally a quarter of `maxStalenessMs`.
   * Absent until the replica follows the others: in strict mode, until the first connection or event subscription.
   */
  readonly stalenessMs?: number;
  /** Does this replica now answer requests from memory? Always false in strict mode. */
  readonly answersFromMemory: boolean;
  /** The number of open streams and sockets that the library closes when their session is over. */
  readonly openConnections: number;
  /** The number of verified logouts of OneID that this replica keeps because the store could not record them. */
  readonly unrecordedLogouts: number;
  /** The number of logout tokens of OneID that this replica keeps because it can't decide them yet. */
  readonly undecidedLogouts: number;
  /**
   * The number of front-channel logouts, since this process started, whose back-channel logout did not come within a
   * minute. Above zero, OneID probably does not reach the back-channel.
   */
  readonly missingBackchannelLogouts: number;
}

/**
 * For gauges and alerts: reads the state of this process, without I/O.
 *
 * @category Operation
 * @hideconstructor
 * @example
 * ```ts
 * import { Controller, Get } from '@nestjs/common';
 * import { type ReplicaState, ReplicaStatus } from 'nestjs-oneid-logout';
 *
 * @Controller('replica')
 * export class ReplicaController {
 *   constructor(private readonly replica: ReplicaStatus) {}
 *
 *   @Get()
 *   read(): ReplicaState {
 *     return this.replica.read();
 *   }
 * }
 * ```
 */
@Injectable()
export class ReplicaStatus {
  constructor(
    private readonly follower: LogoutFollower,
    private readonly connections: OpenConnections,
    private readonly inbox: LogoutInbox,
    private readonly undecided: UndecidedTokens,
    private readonly watch: BackchannelWatch,
  ) {}

  /** Reads the state as it is now. */
  read(): ReplicaState {
    const { stalenessMs, answersNow } = this.follower;
    return {
      ...(stalenessMs !== undefined && { stalenessMs: Math.round(stalenessMs) }),
      answersFromMemory: answersNow,
      openConnections: this.connections.size,
      unrecordedLogouts: this.inbox.size,
      undecidedLogouts: this.undecided.size,
      missingBackchannelLogouts: this.watch.missed,
    };
  }
}
