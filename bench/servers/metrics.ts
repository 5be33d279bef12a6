import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';

/** Much more often than the minute of most apps, so that the cost of collecting is a part of each measurement. */
const COLLECT_EVERY_MS = 1_000;

/** Registers an SDK that collects all metrics into memory. Call it before the app is created. */
export function collectMetrics(): void {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const every = { exportIntervalMillis: COLLECT_EVERY_MS, exportTimeoutMillis: COLLECT_EVERY_MS };
  const reader = new PeriodicExportingMetricReader({ exporter, ...every });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
