import { type Deadline, type Wait } from './deliver.js';
import { type HydraVersion } from './hydra-version.js';
import { type MetadataOverrides } from './provider-state.js';
import { type SigningKey } from './signing-keys.js';
import { type OneIdTestClient } from './test-client.js';

/** Options of {@link OneIdTestProvider.start}. */
export interface OneIdTestProviderOptions {
  /** The version of Hydra that this OneID runs; `2` by default, because that version gives up on a logout first. */
  hydra?: HydraVersion;
  /** Path of the issuer, for example `/tenant`; empty by default. */
  issuerPath?: string;
  /** Whether `iss` ends in a slash as OneID's; true by default. Always true with `hydra: '1.11'`. */
  trailingSlash?: boolean;
  /** The clients that are registered; none by default. {@link OneIdTestProvider.registerClient} adds more. */
  clients?: readonly OneIdTestClient[];
  /**
   * Signs the tokens; a new RS256 key by default, with the `kid` of the Hydra version. Making an RSA key takes a tenth of
   * a second or more, so tests that start many providers can share one key.
   */
  signingKey?: SigningKey;
  /** The provider's clock, in milliseconds since 1970; `Date.now` by default. */
  now?: () => number;
  /** Waits for `delayMs` and between delivery attempts; uses real timers by default. */
  wait?: Wait;
  /** Ends a delivery attempt that takes too long; uses real timers by default. */
  deadline?: Deadline;
  /** Fields of the discovery document to replace; `undefined` leaves one out. */
  metadata?: MetadataOverrides;
  /** Adds `state` to each logout callback, blank if the app sent no `state`, as Hydra up to v1.8. False by default. */
  alwaysSetsState?: boolean;
  /** Port on 127.0.0.1, any free one by default. */
  port?: number;
}
