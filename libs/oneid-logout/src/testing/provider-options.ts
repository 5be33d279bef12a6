import { type Wait } from './deliver.js';
import { type MetadataOverrides } from './provider-state.js';
import { type OneIdTestClient } from './test-client.js';

export interface OneIdTestProviderOptions {
  /** Path of the issuer, for example `/tenant`; empty by default. */
  issuerPath?: string;
  /** Whether `iss` ends in a slash as OneID's; true by default. */
  trailingSlash?: boolean;
  clients?: readonly OneIdTestClient[];
  /** Algorithm of the signing key, `RS256` by default. */
  alg?: string;
  /** The provider's clock, in milliseconds since 1970; `Date.now` by default. */
  now?: () => number;
  /** Waits for `delayMs` and between delivery attempts; uses real timers by default. */
  wait?: Wait;
  /** Fields of the discovery document to replace; `undefined` leaves one out. */
  metadata?: MetadataOverrides;
  /** Adds `state` to each logout callback, blank if the app sent no `state`, as Hydra up to v1.8. False by default. */
  alwaysSetsState?: boolean;
  /** Port on 127.0.0.1, any free one by default. */
  port?: number;
}
