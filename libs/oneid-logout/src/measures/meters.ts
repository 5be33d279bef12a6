import { type Attributes, type Counter, type Histogram, type Meter } from '@opentelemetry/api';
import { type LogoutChannel } from '../rule/logout.js';
import { OUTAGES } from './error-type.js';
import { ATTRIBUTES, type CheckResult, INSTRUMENTS, type LogoutResult } from './instruments.js';
import { quietly } from '../watching.js';
import { type Readings } from './readings.js';

/** The results of checks that did not fail. */
const VERDICTS = ['alive', 'logged_out', 'unconfirmed', 'expired', 'idle', 'unknown', 'missing', 'ambiguous'] as const;

/** The results of back-channel logouts that get a 200. */
const RECORDED = ['matched', 'unmatched', 'recorded', 'repeated'] as const satisfies readonly LogoutResult[];

/** The instruments of one registration. An instrument that throws changes nothing for the caller. */
export class Meters {
  private readonly checks: Histogram;
  private readonly logouts: Counter;
  private readonly delays: Histogram;
  /** Made once, because every request needs one of them. */
  private readonly ofVerdict: Readonly<Record<(typeof VERDICTS)[number], Attributes>>;
  private readonly stopObserving: () => void;

  /** @param common the attributes of all measurements */
  constructor(
    meter: Meter,
    readings: Readings,
    private readonly common: Attributes,
  ) {
    this.checks = histogram(meter, INSTRUMENTS.checkDuration);
    const { logouts } = INSTRUMENTS;
    this.logouts = meter.createCounter(logouts.name, logouts);
    this.delays = histogram(meter, INSTRUMENTS.logoutDelay);
    const entries = VERDICTS.map((verdict) => [verdict, this.with({ [ATTRIBUTES.checkResult]: verdict })] as const);
    this.ofVerdict = Object.fromEntries(entries) as Record<(typeof VERDICTS)[number], Attributes>;
    this.stopObserving = this.observe(meter, readings);
    this.beginLogouts();
  }

  /** @param duration seconds */
  checked(result: Exclude<CheckResult, 'failed'>, duration: number): void {
    quietly(() => this.checks.record(duration, this.ofVerdict[result]));
  }

  /** @param duration seconds */
  checkFailed(errorType: string, duration: number): void {
    const result: CheckResult = 'failed';
    const attributes = this.with({ [ATTRIBUTES.checkResult]: result, [ATTRIBUTES.errorType]: errorType });
    quietly(() => this.checks.record(duration, attributes));
  }

  /** @param errorType only of a logout that is refused or failed */
  countLogouts(count: number, channel: LogoutChannel, result: LogoutResult, errorType?: string): void {
    const attributes = this.with({
      [ATTRIBUTES.channel]: channel,
      [ATTRIBUTES.logoutResult]: result,
      ...(errorType !== undefined && { [ATTRIBUTES.errorType]: errorType }),
    });
    quietly(() => this.logouts.add(count, attributes));
  }

  /** @param delay from the token's `iat` to the 200, seconds */
  delivered(delay: number): void {
    quietly(() => this.delays.record(delay, this.common));
  }

  /** The library reads nothing any more when metrics are collected. */
  stop(): void {
    this.stopObserving();
  }

  /**
   * Writes a 0 to the series of back-channel logouts that the alert rules watch. Prometheus's `increase()` does not count
   * the first value of a series, so without the 0 it would miss the first 503 of each replica.
   */
  private beginLogouts(): void {
    for (const result of [...RECORDED, 'missing'] as const) this.countLogouts(0, 'backchannel', result);
    for (const errorType of OUTAGES) this.countLogouts(0, 'backchannel', 'failed', errorType);
  }

  private observe(meter: Meter, { status, pendingRevocations }: Readings): () => void {
    const { common } = this;
    const { staleness, connections, pendingLogouts } = INSTRUMENTS;
    const stalenessGauge = meter.createObservableGauge(staleness.name, staleness);
    const connectionCount = meter.createObservableUpDownCounter(connections.name, connections);
    const pending = meter.createObservableUpDownCounter(pendingLogouts.name, pendingLogouts);
    const all = [stalenessGauge, connectionCount, pending];
    const [unrecorded, undecided] = (['unrecorded', 'undecided'] as const).map((state) =>
      this.with({ [ATTRIBUTES.pendingState]: state }),
    );
    const observeStatus: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
      const { stalenessMs, openConnections, unrecordedLogouts, undecidedLogouts } = status();
      if (stalenessMs !== undefined) result.observe(stalenessGauge, stalenessMs / 1000, common);
      result.observe(connectionCount, openConnections, common);
      result.observe(pending, unrecordedLogouts, unrecorded);
      result.observe(pending, undecidedLogouts, undecided);
    };
    meter.addBatchObservableCallback(observeStatus, all);
    const revocations = meter.createObservableGauge(
      INSTRUMENTS.pendingRevocations.name,
      INSTRUMENTS.pendingRevocations,
    );
    const observeRevocations: Parameters<typeof revocations.addCallback>[0] = async (result) => {
      // without an answer of the database there is no value: an old one would hide that the database is down
      const count = await pendingRevocations().catch(() => undefined);
      if (count !== undefined) result.observe(count, common);
    };
    revocations.addCallback(observeRevocations);
    return () => {
      quietly(() => meter.removeBatchObservableCallback(observeStatus, all));
      quietly(() => revocations.removeCallback(observeRevocations));
    };
  }

  private with(attributes: Attributes): Attributes {
    return { ...this.common, ...attributes };
  }
}

function histogram(
  meter: Meter,
  { name, unit, description, buckets }: (typeof INSTRUMENTS)['checkDuration' | 'logoutDelay'],
): Histogram {
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...buckets] } });
}
