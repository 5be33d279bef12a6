import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition, at most 20 seconds. For work that a test cannot await, for example in another process. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`This did not happen within 20 s: ${what}`);
    await delay(10);
  }
}
