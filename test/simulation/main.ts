// npm run simulate [-- --runs N | --minutes M | --seed S | --planted [--fault TEXT]]: docs/simulation.md says what it shows.
import 'reflect-metadata';
import { availableParallelism } from 'node:os';
import { Logger } from '@nestjs/common';
import { readArguments, refuse, refuseUnused, wholeNumber } from '../support/arguments.mjs';
import { runFleet } from './fleet.js';
import { type Plan, planOf } from './plan.js';
import { runPlanted } from './planted.js';
import { shrink } from './shrink.js';
import { EmptyTables } from './simulated-database.js';
import { simulate } from './simulation.js';
import { lineOf } from './summary.js';

/** Without arguments, for CI: seconds. */
const ORDINARY = 60;

/** As good as no limit; a message between processes holds no Infinity. */
const MAX = Number.MAX_SAFE_INTEGER;

const values = readArguments({
  runs: { type: 'string' },
  minutes: { type: 'string' },
  from: { type: 'string' },
  processes: { type: 'string' },
  seed: { type: 'string' },
  whole: { type: 'boolean' },
  planted: { type: 'boolean' },
  fault: { type: 'string' },
});
if (values.planted) refuseUnused(values, ['runs', 'minutes', 'from', 'seed'], 'with --planted');
else refuseUnused(values, ['fault'], 'without --planted');
if (values.seed === undefined) refuseUnused(values, ['whole'], 'without --seed');
else refuseUnused(values, ['runs', 'minutes', 'from', 'processes'], 'with --seed');
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0 && minutes < Infinity))
  refuse(`--minutes takes a number above 0, not "${values.minutes ?? ''}"`);
const runs = values.runs === undefined ? undefined : wholeNumber('runs', values.runs);
const from = wholeNumber('from', values.from ?? '1');
const processes = wholeNumber('processes', values.processes ?? String(Math.min(2, availableParallelism())));
if (values.seed !== undefined) wholeNumber('seed', values.seed);

if (values.planted) process.exitCode = (await runPlanted(processes, values.fault ?? '')) ? 0 : 1;
else if (values.seed !== undefined) process.exitCode = (await replay(values.seed)) ? 0 : 1;
else process.exitCode = (await runMany()) ? 0 : 1;

async function runMany(): Promise<boolean> {
  const began = performance.now();
  const summary = await runFleet({
    firstSeed: from,
    runs: runs ?? MAX,
    seconds: minutes === undefined ? (runs === undefined ? ORDINARY : MAX) : minutes * 60,
    processes,
  });
  const seconds = (performance.now() - began) / 1000;
  for (const { seed, violation } of summary.failed.slice(0, 20)) console.log(`seed ${seed}: ${violation}`);
  const [first] = summary.failed;
  if (first !== undefined) {
    console.log(`\nThe shortest story of seed ${first.seed}, also by: npm run simulate -- --seed ${first.seed}\n`);
    await replay(first.seed);
  }
  console.log(lineOf(summary, seconds));
  // no time for a single run is no success
  return first === undefined && summary.runs > 0;
}

/** Runs one seed, and tells the shortest story of its violation. @returns whether it has none */
async function replay(seed: string): Promise<boolean> {
  Logger.overrideLogger(false);
  const tables = await EmptyTables.create();
  const plan = planOf(seed);
  const { violations } = await simulate(plan, tables);
  const [first] = violations;
  if (first === undefined) {
    if (values.whole) await tell(plan, tables);
    console.log(`seed ${seed}: no violation`);
    return true;
  }
  const kind = kindOf(first);
  const fails = async (candidate: Plan) =>
    (await simulate(candidate, tables)).violations.some((one) => kindOf(one) === kind);
  await tell(values.whole ? plan : await shrink(plan, fails), tables);
  return false;
}

async function tell(plan: Plan, tables: EmptyTables): Promise<void> {
  const { story, violations } = await simulate(plan, tables, true);
  plan.replicas.forEach(({ bounded }, n) =>
    console.log(`replica ${n}: ${bounded ? JSON.stringify(bounded) : 'strict'}`),
  );
  const { profile, poolSize, logoutScope } = plan;
  console.log(JSON.stringify({ profile, poolSize, logoutScope }));
  for (const line of story) console.log(line);
  if (!values.whole) console.log(`The plan: ${JSON.stringify(plan)}`);
  for (const violation of violations) console.log(`VIOLATION: ${violation}`);
}

/** The violation without its numbers: a shorter story has others. */
function kindOf(violation: string): string {
  return violation.replace(/^\S+ s /, '').slice(0, 12);
}
