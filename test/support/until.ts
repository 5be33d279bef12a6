import { setTimeout as delay } from 'node:timers/promises';

/** Waits for another process, which can't be told to hurry. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited 20 s in vain: ${what}`);
    await delay(10);
  }
}
