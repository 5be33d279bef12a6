/**
 * A OneID for tests, and what it is made of. It needs no network and no NestJS.
 *
 * @module nestjs-oneid-logout/testing
 */
export { OneIdTestProvider } from './oneid-test-provider.js';
export { type OneIdTestProviderOptions } from './provider-options.js';
export { type OneIdTestClient } from './test-client.js';
export { type BrowserLogin, type SignIn } from './browser-logins.js';
export { createSigningKey, type KeyRotation, type SigningKey } from './signing-keys.js';
export { type Claims, type HeaderParameters, type HmacKey, signCompact, type TokenKey } from './sign-compact.js';
export { type Encryption } from './encrypt-compact.js';
export {
  type AccessTokenRequest,
  backchannelLogoutEvent,
  type IdTokenRequest,
  type LogoutTokenRequest,
  type RefreshTokenRequest,
  type TokenIssuer,
  type TokenOverrides,
  type TokenSubject,
} from './tokens.js';
export {
  type Deadline,
  deliver,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryOptions,
  type Wait,
  withoutWaiting,
} from './deliver.js';
export { fixedKeyId, type HydraVersion } from './hydra-version.js';
export { frontchannelUrl, postLogoutUrl } from './logout-urls.js';
export {
  type BackchannelDelivery,
  type Logout,
  type LogoutUnderWay,
  type NotifiedClient,
  notifyClients,
} from './logout-notifications.js';
export { type EndpointPath, endpointPaths } from './endpoint-paths.js';
export { type ReceivedRequest } from './received-request.js';
export { type RevocationRequest, type MetadataOverrides } from './provider-state.js';
export { type Trouble } from './troubles.js';
export { StandInGuard } from './stand-ins/stand-in-guard.js';
export { standInSession } from './stand-ins/stand-in-session.js';
export { type MemoryDatabase, memoryDatabase } from './stand-ins/memory-database.js';
