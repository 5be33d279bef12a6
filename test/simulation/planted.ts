import { PLANTED_PATCH } from '../support/patch.mjs';
import { runFleet } from './fleet.js';
import { plantedFaults } from './planted/faults.js';

/** How long the simulation may search for each planted fault, seconds. */
const PATIENCE = 600;

/** Plants each fault in the library, and searches for it. @returns whether the simulation has found all of them */
export async function runPlanted(processes: number): Promise<boolean> {
  const missed: string[] = [];
  for (const { name, ...patch } of plantedFaults) {
    const began = performance.now();
    const env = { [PLANTED_PATCH]: JSON.stringify(patch) };
    const work = { firstSeed: 1, runs: Number.MAX_SAFE_INTEGER, seconds: PATIENCE, stopsAtFirst: true };
    const { runs, failed } = await runFleet({ ...work, processes, env });
    const [first] = failed;
    const took = `${runs} runs, ${((performance.now() - began) / 1000).toFixed(1)} s`;
    if (first === undefined) missed.push(name);
    console.log(
      first === undefined
        ? `MISSED after ${took}: ${name}`
        : `found after ${took}: ${name}\n  seed ${first.seed}: ${first.violation}`,
    );
  }
  console.log(`planted faults: ${plantedFaults.length - missed.length} of ${plantedFaults.length} found`);
  return missed.length === 0;
}
