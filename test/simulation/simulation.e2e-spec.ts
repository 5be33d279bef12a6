import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/documents.js';
import { applyPatch } from '../support/patch.mjs';
import { knownPlans } from './known-plans.js';
import { type Plan, planOf } from './plan.js';
import { plantedFaults } from './planted/faults.js';
import { shrink } from './shrink.js';
import { EmptyTables } from './simulated-database.js';
import { simulate } from './simulation.js';

let tables: EmptyTables;
beforeAll(async () => {
  tables = await EmptyTables.create();
});

/** The first seconds of a run: the whole takes too long for a test. */
const beginOf = (seed: string): Plan => {
  const { actions, ...plan } = planOf(seed);
  return { ...plan, actions: actions.filter(({ at }) => at < 12_000), end: 18_000 };
};

it.each(plantedFaults)('a fault to plant fits the code: $name', (fault) => {
  expect(() => applyPatch(fault, readFileSync(join(root, fault.file), 'utf8'))).not.toThrow();
});

describe('the simulation', () => {
  it('the same seed gives the same run, event by event', async () => {
    const once = await simulate(beginOf('1'), tables);
    const again = await simulate(beginOf('1'), tables);
    expect(once.requests).toBeGreaterThan(20);
    expect(again).toEqual(once);
    const other = await simulate(beginOf('2'), tables);
    expect(other.trace).not.toBe(once.trace);
  });

  it('without faults, every request is answered, and nothing is refused without a logout', async () => {
    const { violations, requests, logouts } = await simulate({ ...beginOf('3'), faults: [] }, tables);
    expect(violations).toEqual([]);
    expect(requests).toBeGreaterThan(20);
    expect(logouts).toBeGreaterThan(0);
  });

  it.each(knownPlans)('a run that showed: $showed', async ({ plan }) => {
    expect((await simulate(plan, tables)).violations).toEqual([]);
  });
});

describe('a short story', () => {
  it('keeps only the faults and the actions without which the run does not fail', async () => {
    const plan = planOf('1');
    const [needed] = plan.actions.slice(7);
    const fails = (candidate: Plan) => Promise.resolve(needed !== undefined && candidate.actions.includes(needed));
    expect(await shrink(plan, fails)).toEqual({ ...plan, faults: [], actions: [needed] });
  });
});
