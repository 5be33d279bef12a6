import { refuse } from '../support/arguments.mjs';
import { PLANTED_PATCH } from '../support/patch.mjs';
import { runFleet } from './fleet.js';
import { plantedFaults } from './planted/faults.js';

/** How long the simulation may search for each planted fault, seconds. */
const PATIENCE = 600;

/**
 * Plants faults in the library, one at a time, and searches for each.
 *
 * @param part only the faults with this text in their name
 * @returns whether the simulation has found all of them
 */
export async function runPlanted(processes: number, part: string): Promise<boolean> {
  const missed: string[] = [];
  const chosen = plantedFaults.filter(({ name }) => name.includes(part));
  if (chosen.length === 0) {
    const names = plantedFaults.map(({ name }) => name);
    refuse(`No planted fault has "${part}" in its name. The names: ${names.join('; ')}`);
  }
  for (const { name, ...patch } of chosen) {
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
  console.log(`planted faults: ${chosen.length - missed.length} of ${chosen.length} found`);
  return missed.length === 0;
}
