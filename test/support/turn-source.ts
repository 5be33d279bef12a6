import { StatementQueue } from '../../libs/oneid-logout/src/database/statement-queue.js';
import { type TurnSource } from '../../libs/oneid-logout/src/store/gatherer.js';
import { type TestClock } from './test-clock.js';

/** A queue in front of a number of connections, without a database. */
export function turnSource(connections: number, clock: TestClock): TurnSource {
  const queue = new StatementQueue(connections, clock);
  return {
    clock,
    async inTurn(lane, work) {
      const turn = await queue.next(lane);
      return turn.hold(work(turn));
    },
  };
}
