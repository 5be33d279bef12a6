// A process that runs plans. Its parent sends { from, step, until } and gets a summary of each half second of runs.
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { planOf } from './plan.js';
import { EmptyTables } from './simulated-database.js';
import { simulate } from './simulation.js';
import { addOutcome, emptySummary } from './summary.js';

/** Which seeds a worker runs, and how long. */
export interface Work {
  /** The first seed, and how far each next one is from the one before. */
  readonly from: number;
  readonly step: number;
  readonly runs: number;
  readonly seconds: number;
  readonly stopsAtFirst: boolean;
}

/** How often a worker tells what it has done, milliseconds. */
const TOLD_EVERY = 500;

process.once('message', (work: Work) => {
  void run(work).then(() => process.disconnect());
});

async function run({ from, step, runs, seconds, stopsAtFirst }: Work): Promise<void> {
  Logger.overrideLogger(false);
  const tables = await EmptyTables.create();
  const end = performance.now() + seconds * 1000;
  let summary = emptySummary();
  let toldAt = performance.now();
  const tell = () => {
    process.send?.(summary);
    summary = emptySummary();
    toldAt = performance.now();
  };
  for (let n = 0; n < runs && performance.now() < end; n++) {
    const seed = String(from + n * step);
    addOutcome(summary, seed, await simulate(planOf(seed), tables));
    const isOver = stopsAtFirst && summary.failed.length > 0;
    if (isOver || performance.now() - toldAt > TOLD_EVERY) tell();
    if (isOver) return;
  }
  tell();
}
