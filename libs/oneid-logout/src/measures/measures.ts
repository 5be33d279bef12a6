import { type Clock } from '../clock.js';
import { Logger } from '../logger.js';
import { InvalidLogoutTokenError, reasonOf, type RejectionReason } from '../oneid-logout.errors.js';
import { type LogoutChannel } from '../rule/logout.js';
import { errorTypeOf } from './error-type.js';
import { ATTRIBUTES, type LogoutResult, SCOPE } from './instruments.js';
import { Meters } from './meters.js';
import { loadOpenTelemetry, type OpenTelemetry } from './opentelemetry.js';
import { type Readings } from './readings.js';
import { Spans } from './spans.js';

/**
 * Tells OpenTelemetry what the library does: metrics, and spans. Without the package `@opentelemetry/api`, without
 * an SDK, or before {@link start}, each method costs one comparison.
 */
export class Measures {
  private meters: Meters | undefined;
  /** Undefined also when the app has registered no tracer. */
  private spans: Spans | undefined;

  private constructor(
    private readonly clock: Clock,
    private readonly api: OpenTelemetry | undefined,
  ) {}

  static async create(clock: Clock): Promise<Measures> {
    return new Measures(clock, await loadOpenTelemetry());
  }

  /** Measures nothing, for tests of single classes. */
  static off(clock: Clock): Measures {
    return new Measures(clock, undefined);
  }

  /**
   * Begins to measure, with the OpenTelemetry SDK that the app has registered by now. An SDK that comes later is not
   * used.
   *
   * @param registration tells the registrations of an app with several ones apart
   */
  start(readings: Readings, registration: string | undefined): void {
    const { api } = this;
    if (api === undefined) return;
    const common = registration === undefined ? {} : { [ATTRIBUTES.registration]: registration };
    const meter = api.metrics.getMeter(SCOPE);
    const traces = hasTracer(api);
    // the package is often there without an SDK, as a dependency of another one
    if (meter === api.createNoopMeter() && !traces) return;
    try {
      this.meters = new Meters(meter, readings, common);
    } catch (error) {
      new Logger('OneIdLogout').warn(`No metrics, because the meter of the app failed: ${reasonOf(error)}`);
    }
    if (traces) this.spans = new Spans(api, api.trace.getTracer(SCOPE), common);
  }

  stop(): void {
    this.meters?.stop();
    this.meters = undefined;
    this.spans = undefined;
  }

  /** A check whether the session of a request is alive. */
  check<V extends { readonly alive: unknown } | { readonly reason: RejectionReason }>(
    work: () => Promise<V>,
  ): Promise<V> {
    const { meters } = this;
    return meters === undefined ? work() : this.measureCheck(work, meters);
  }

  /**
   * A back-channel request, until its logout is recorded and the answer may be 200. Counts it when it fails; what is
   * recorded is counted with {@link countLogouts}.
   *
   * @param work returns the `iat` of the logout token, seconds
   */
  async backchannel(work: () => Promise<{ readonly iat: number }>): Promise<void> {
    const { meters, spans } = this;
    try {
      const { iat } = await (spans === undefined ? work() : spans.backchannel(work));
      // the provider's clock may be ahead of ours
      meters?.delivered(Math.max(0, this.clock.now() / 1000 - iat));
    } catch (error) {
      this.countFailure('backchannel', error);
      throw error;
    }
  }

  countLogouts(channel: LogoutChannel, result: Exclude<LogoutResult, 'refused' | 'failed'>, count = 1): void {
    if (count > 0) this.meters?.countLogouts(count, channel, result);
  }

  /** A logout that was not recorded: refused if the request or its token is invalid, else failed. */
  countFailure(channel: LogoutChannel, error: unknown): void {
    const result = error instanceof InvalidLogoutTokenError ? 'refused' : 'failed';
    this.meters?.countLogouts(1, channel, result, errorTypeOf(error));
  }

  /** Call it where the logouts are recorded: the spans of their revocations link to the active span. */
  rememberRecorded(logouts: readonly { readonly id: string }[]): void {
    this.spans?.rememberRecorded(logouts.map(({ id }) => id));
  }

  /** A request to the provider to revoke a refresh token. */
  revocation<A extends { readonly result: string }>(
    logoutId: string,
    issuer: string,
    work: () => Promise<A>,
  ): Promise<A> {
    return this.spans === undefined ? work() : this.spans.revocation(logoutId, issuer, work);
  }

  private async measureCheck<V extends { readonly alive: unknown } | { readonly reason: RejectionReason }>(
    work: () => Promise<V>,
    meters: Meters,
  ): Promise<V> {
    const began = this.clock.monotonicNow();
    const seconds = () => (this.clock.monotonicNow() - began) / 1000;
    try {
      const verdict = await (this.spans === undefined ? work() : this.spans.check(work));
      meters.checked('reason' in verdict ? verdict.reason : 'alive', seconds());
      return verdict;
    } catch (error) {
      meters.checkFailed(errorTypeOf(error), seconds());
      throw error;
    }
  }
}

/** Has the app registered a tracer provider? Until then the API has a stand-in, which knows no tracer. */
function hasTracer({ trace }: OpenTelemetry): boolean {
  const provider = trace.getTracerProvider() as { getDelegateTracer?: (name: string) => unknown };
  return provider.getDelegateTracer === undefined || provider.getDelegateTracer(SCOPE) !== undefined;
}
