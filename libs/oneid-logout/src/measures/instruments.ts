import { type RejectionReason } from '../oneid-logout.errors.js';

/** The instrumentation scope of all metrics and spans: the name of the package. */
export const SCOPE = 'nestjs-oneid-logout';

interface InstrumentFacts {
  readonly name: string;
  readonly kind: 'counter' | 'histogram' | 'gauge' | 'upDownCounter';
  /** UCUM. A count has an annotation such as `{logout}`. */
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[];
}

/**
 * All metrics of the library: the only place that names them. The names follow OpenTelemetry's semantic conventions
 * (https://opentelemetry.io/docs/specs/semconv/general/metrics/): a namespace, durations in seconds, no unit in a name.
 */
export const INSTRUMENTS = {
  checkDuration: {
    name: 'oneid_logout.check.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long it took to decide whether the session of a request is alive.',
    // memory answers in less than 0.1 ms, a near database in a few ms; a check waits a second for a connection at most
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  logouts: {
    name: 'oneid_logout.logouts',
    kind: 'counter',
    unit: '{logout}',
    description: 'Logouts that this replica has recorded, refused, or failed to record.',
  },
  logoutDelay: {
    name: 'oneid_logout.logout.delay',
    kind: 'histogram',
    unit: 's',
    description: "Time from the iat of a logout token to this app's 200.",
    // `iat` has whole seconds. OneID sends a logout again from five seconds to three minutes later
    buckets: [1, 2, 3, 5, 10, 15, 30, 60, 120, 300, 600, 3600],
  },
  staleness: {
    name: 'oneid_logout.replica.staleness',
    kind: 'gauge',
    unit: 's',
    description: "Age of this replica's knowledge about the logouts of other replicas.",
  },
  connections: {
    name: 'oneid_logout.connection.count',
    kind: 'upDownCounter',
    unit: '{connection}',
    description: 'Open sockets and streams that the library closes when their session is over.',
  },
  pendingLogouts: {
    name: 'oneid_logout.logout.pending',
    kind: 'upDownCounter',
    unit: '{logout}',
    description: 'Logouts of OneID that this replica keeps in memory because it could not record or decide them yet.',
  },
  pendingRevocations: {
    name: 'oneid_logout.revocation.pending',
    kind: 'gauge',
    unit: '{logout}',
    description: 'Logouts whose sessions may have refresh tokens to revoke, in the database that all replicas share.',
  },
} as const satisfies Record<string, InstrumentFacts>;

/** The attributes of metrics and spans. Each has a closed list of values. */
export const ATTRIBUTES = {
  checkResult: 'oneid_logout.check.result',
  channel: 'oneid_logout.logout.channel',
  logoutResult: 'oneid_logout.logout.result',
  pendingState: 'oneid_logout.logout.state',
  /** Only of spans. */
  revocationResult: 'oneid_logout.revocation.result',
  /** The class of the module's registration. Only in an app with several registrations. */
  registration: 'oneid_logout.registration',
  errorType: 'error.type',
} as const;

/** The result of a check: the verdict, or `failed` when the check threw. */
export type CheckResult = 'alive' | RejectionReason | 'failed';

/**
 * - `matched`: the library has recorded the logout, and it names a sign-in of this app.
 * - `unmatched`: it names no sign-in that this database knows.
 * - `recorded`: recorded, but MySQL or MariaDB was busy and has not said whether it names a sign-in.
 * - `repeated`: it was recorded before; OneID has sent it again.
 * - `refused`: the request or its token is invalid, and got a 400.
 * - `failed`: the library could not record it now, and answered 503 or threw an error.
 * - `missing`: a front-channel logout has come, but not the back-channel logout of the same login.
 */
export type LogoutResult = 'matched' | 'unmatched' | 'recorded' | 'repeated' | 'refused' | 'failed' | 'missing';
