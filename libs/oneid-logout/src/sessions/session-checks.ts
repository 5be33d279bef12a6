import { type SessionRepository } from './session.repository.js';

/** What is asked of the store on the way of a request. */
export type SessionChecks = Pick<SessionRepository, 'check' | 'findLogout' | 'knowsUser'>;

/** @internal */
export const SESSION_CHECKS = Symbol('oneid-logout session checks');
