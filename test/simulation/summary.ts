import { type FaultKind } from './plan.js';
import { type Outcome } from './simulation.js';

/** What many runs have shown together. */
export interface Summary {
  runs: number;
  virtualMs: number;
  requests: number;
  logouts: number;
  faults: Partial<Record<FaultKind, number>>;
  /** The seeds of the runs with violations, and the first violation of each. */
  failed: { readonly seed: string; readonly violation: string }[];
}

export function emptySummary(): Summary {
  return { runs: 0, virtualMs: 0, requests: 0, logouts: 0, faults: {}, failed: [] };
}

export function addOutcome(summary: Summary, seed: string, outcome: Outcome): void {
  summary.runs += 1;
  summary.virtualMs += outcome.virtualMs;
  summary.requests += outcome.requests;
  summary.logouts += outcome.logouts;
  addFaults(summary, outcome.faults);
  const [violation] = outcome.violations;
  if (violation !== undefined) summary.failed.push({ seed, violation });
}

export function addSummary(summary: Summary, other: Summary): void {
  summary.runs += other.runs;
  summary.virtualMs += other.virtualMs;
  summary.requests += other.requests;
  summary.logouts += other.logouts;
  addFaults(summary, other.faults);
  summary.failed.push(...other.failed);
}

/** One line: what ran, and what it found. */
export function lineOf(summary: Summary, seconds: number): string {
  const { runs, virtualMs, requests, logouts, failed } = summary;
  const kinds = Object.entries(summary.faults).sort(([one], [other]) => (one < other ? -1 : 1));
  const faults = kinds.map(([kind, count]) => `${kind} ${count}`).join(', ');
  const rate = seconds === 0 ? 0 : runs / seconds;
  return (
    `simulation: ${runs} runs, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${requests} requests, ${logouts} logouts; ` +
    `faults: ${faults || 'none'}; ${rate.toFixed(1)} runs per second; ${failed.length} violations`
  );
}

function addFaults(summary: Summary, faults: Summary['faults']): void {
  for (const [kind, count] of Object.entries(faults) as [FaultKind, number][]) {
    summary.faults[kind] = (summary.faults[kind] ?? 0) + count;
  }
}
