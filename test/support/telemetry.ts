import { type Attributes, context, metrics, type Span, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { DataPointType, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** A reader that a test asks. */
class TestReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** One series of a metric. The value of a histogram is the number of its measurements. */
export interface Series {
  readonly attributes: Attributes;
  readonly value: number;
}

export interface ExportedMetric {
  readonly unit: string;
  readonly type: string;
  readonly series: readonly Series[];
}

/** The SDK of OpenTelemetry as an app registers it. Metrics and spans stay in memory. */
export class Telemetry {
  private readonly reader = new TestReader();
  private readonly exporter = new InMemorySpanExporter();
  private readonly meterProvider = new MeterProvider({ readers: [this.reader] });

  private constructor(processors: readonly SpanProcessor[]) {
    metrics.setGlobalMeterProvider(this.meterProvider);
    const spanProcessors = [new SimpleSpanProcessor(this.exporter), ...processors];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  }

  /** @param processors further ones of the app */
  static register(...processors: SpanProcessor[]): Telemetry {
    return new Telemetry(processors);
  }

  unregister(): void {
    for (const api of [metrics, trace, context]) api.disable();
  }

  /** Collects the metrics of the library by name. */
  async metrics(): Promise<Record<string, ExportedMetric>> {
    const { resourceMetrics, errors } = await this.reader.collect();
    if (errors.length > 0) throw errors[0];
    const ours = resourceMetrics.scopeMetrics.find(({ scope }) => scope.name === 'nestjs-oneid-logout');
    return Object.fromEntries(
      (ours?.metrics ?? []).map(({ descriptor, dataPointType, dataPoints }) => [
        descriptor.name,
        {
          unit: descriptor.unit,
          type: DataPointType[dataPointType],
          series: dataPoints.map(({ attributes, value }) => ({
            attributes,
            value: typeof value === 'number' ? value : value.count,
          })),
        },
      ]),
    );
  }

  /** The values of a metric, by the values of one or more attributes. */
  async valuesOf(name: string, ...attributes: readonly string[]): Promise<Record<string, number>> {
    const { series = [] } = (await this.metrics())[name] ?? {};
    return Object.fromEntries(
      series.map(({ attributes: own, value }) => [
        attributes.flatMap((attribute) => own[attribute] ?? []).join(' '),
        value,
      ]),
    );
  }

  /** A histogram without attributes, or the first series of it. */
  async histogramOf(name: string): Promise<Histogram | undefined> {
    const { resourceMetrics } = await this.reader.collect();
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const metric = all.find(({ descriptor }) => descriptor.name === name);
    return metric?.dataPointType === DataPointType.HISTOGRAM ? metric.dataPoints[0]?.value : undefined;
  }

  /** The spans of the library that have ended. */
  get spans(): ReadableSpan[] {
    return this.exporter
      .getFinishedSpans()
      .filter(({ instrumentationScope }) => instrumentationScope.name === 'nestjs-oneid-logout');
  }

  /** Everything that was exported, as text. */
  async text(): Promise<string> {
    const spans = this.exporter.getFinishedSpans().map(({ name, attributes, events, status, links }) => {
      return { name, attributes, events, status, links };
    });
    return JSON.stringify([await this.metrics(), spans]);
  }
}

/** Runs the work in the span of a request, as an instrumentation of HTTP does. */
export async function inRequest<T>(work: (span: Span) => Promise<T>): Promise<T> {
  return trace.getTracer('http').startActiveSpan('GET', { kind: SpanKind.SERVER }, async (span) => {
    try {
      return await work(span);
    } finally {
      span.end();
    }
  });
}
