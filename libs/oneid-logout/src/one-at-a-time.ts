/**
 * Runs the work when asked, one run at a time.
 *
 * @param work its failures are ignored
 * @returns a function that starts the work. All calls during a run together cause one more run after it
 */
export function oneAtATime(work: () => Promise<unknown>): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    while (again) {
      again = false;
      await work().catch(() => undefined);
    }
    running = false;
  };
  return () => {
    again = true;
    if (!running) void run();
  };
}
