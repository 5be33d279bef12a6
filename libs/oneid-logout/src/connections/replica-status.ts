import { Injectable } from '@nestjs/common';
import { LogoutFollower } from '../replicas/logout-follower.js';
import { OpenConnections } from './open-connections.js';

/** How one replica stands to the others. */
export interface ReplicaState {
  /**
   * How old what this replica knows of the others' logouts is, milliseconds: normally a quarter of `maxStaleness`. Absent
   * where nothing follows them: in strict mode, while nothing is open.
   */
  readonly stalenessMs?: number;
  /** Are requests answered from memory, just now? In strict mode never. */
  readonly answersFromMemory: boolean;
  /** Streams and sockets that are open under a session. */
  readonly openConnections: number;
}

/** For gauges and alerts: reads what this process knows, without I/O. */
@Injectable()
export class ReplicaStatus {
  constructor(
    private readonly follower: LogoutFollower,
    private readonly connections: OpenConnections,
  ) {}

  read(): ReplicaState {
    const { stalenessMs, answersNow } = this.follower;
    return {
      ...(stalenessMs !== undefined && { stalenessMs: Math.round(stalenessMs) }),
      answersFromMemory: answersNow,
      openConnections: this.connections.size,
    };
  }
}
