import { type Plan } from './plan.js';

/** How many runs a search for a short story may take. */
const MOST_RUNS = 400;

/**
 * Makes a plan shorter that fails: it leaves out faults, then actions, many at a time at first, as long as the run still
 * fails.
 *
 * @param fails runs a plan. @returns whether it still fails
 */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let runs = 0;
  let shortest = plan;
  const stillFails = (candidate: Plan) => {
    runs += 1;
    return fails(candidate);
  };
  for (const part of ['faults', 'actions', 'faults'] as const) {
    let size = Math.ceil(shortest[part].length / 2);
    while (size >= 1 && runs < MOST_RUNS) {
      let from = 0;
      while (from < shortest[part].length && runs < MOST_RUNS) {
        const list: readonly unknown[] = shortest[part];
        const candidate = { ...shortest, [part]: [...list.slice(0, from), ...list.slice(from + size)] };
        if (await stillFails(candidate)) shortest = candidate;
        else from += size;
      }
      size = size === 1 ? 0 : Math.ceil(size / 2);
    }
  }
  return shortest;
}
