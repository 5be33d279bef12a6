/**
 * Does work when asked: at once, or when it is asked for while under way, once more afterwards, however often it was.
 *
 * @param work whose failures do not matter
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
