/**
 * The library: the module, its guard, and the services that an app injects.
 *
 * @module nestjs-oneid-logout
 */
export { type LogoutAuthor, type LogoutChannel } from './rule/logout.js';
export { OneIdLogoutModule } from './oneid-logout.module.js';
export { type OneIdLogoutExtras, type OneIdLogoutOptionsFactory } from './oneid-logout.module-definition.js';
export { type OneIdLogoutOptions } from './oneid-logout.options.js';
export {
  type ClientAuthenticationOptions,
  type ClientSecretOptions,
  type EndpointOptions,
  type IdTokenEncryptionOptions,
  type OneIdClientOptions,
  type PrivateKeyOptions,
} from './provider/client-options.js';
export { type ProviderFetch } from './provider/provider-fetch.js';
export { ProviderSigningKeys } from './provider/provider-signing-keys.js';
export { type BoundedLivenessOptions, type RedisNudgeOptions } from './replicas/liveness-options.js';
export {
  ClocksDifferError,
  CrossSiteLogoutError,
  InvalidIdTokenError,
  InvalidLogoutRequestError,
  InvalidLogoutTokenError,
  InvalidOptionsError,
  type LogoutTokenFault,
  OneIdLogoutError,
  ProviderMisconfiguredError,
  ProviderUnavailableError,
  type RejectionReason,
  SessionEndedError,
  SessionRejectedError,
  StoreUnavailableError,
  UnusableDatabaseError,
} from './oneid-logout.errors.js';

export {
  LogoutService,
  type RespondOptions,
  type StartedLogout,
  type StartLogoutOptions,
} from './logout/logout.service.js';

export {
  AllowAnonymous,
  type AllowAnonymousOptions,
  CurrentSession,
  currentSession,
  NotActivity,
} from './guard/session.decorators.js';
export { type SessionEnding } from './connections/open-connections.js';
export { type ReplicaState, ReplicaStatus } from './connections/replica-status.js';
export { SessionConnections } from './connections/session-connections.js';
export { type SocketClient } from './connections/sockets.js';

export { SessionAliveGuard } from './guard/session-alive.guard.js';
export { type LogoutEvent, SessionEvents } from './sessions/session-events.js';
export {
  type RefreshSessionOptions,
  type RegisterSessionOptions,
  SessionRegistry,
} from './sessions/session-registry.js';
export { type ListedSession, type RegisteredSession, type Session, type SessionFacts } from './rule/session.js';
export {
  type CarriedSession,
  type FoundSession,
  sessionFromClaims,
  sessionFromCookie,
  sessionFromExpressSession,
  sessionFromUser,
  type SessionRequest,
  type SessionResolver,
  type TokenClaims,
} from './guard/session-resolvers.js';
export {
  oneIdLogoutEntities,
  oneIdLogoutMigrations,
  type SessionDatabaseOptions,
  sessionDataSourceOptions,
} from './database/data-source-options.js';
export { type CookieOptions } from './http/cookies.js';
export { isNavigation } from './http/navigation.js';
