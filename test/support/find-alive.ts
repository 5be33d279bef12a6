import { type SessionJudge } from '../../libs/oneid-logout/src/guard/session-judge.js';
import { type CarriedSession } from '../../libs/oneid-logout/src/guard/session-resolvers.js';
import { type SessionFacts } from '../../libs/oneid-logout/src/rule/session.js';

/** Asks the guard's judge. @returns the session if it is alive */
export async function findAlive(judge: SessionJudge, carried: CarriedSession): Promise<SessionFacts | undefined> {
  const verdict = await judge.judge(carried);
  return 'alive' in verdict ? verdict.alive : undefined;
}
