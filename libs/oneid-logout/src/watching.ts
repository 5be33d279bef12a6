/**
 * Runs code that only watches, such as a listener or a logger of the app. Its error, or the rejection of the promise
 * that it returns, goes to `report` alone: it does not reach the caller, and does not end the process.
 *
 * @param report gets the error. If it fails too, nothing more happens
 */
export function letWatch(watch: () => unknown, report: (error: unknown) => void = () => undefined): void {
  const run = async () => {
    try {
      await watch();
    } catch (error) {
      report(error);
    }
  };
  void run().catch(() => undefined);
}

/**
 * Runs code that only watches and returns at once, such as a call of the app's OpenTelemetry SDK. Its error changes nothing
 * for the caller. {@link letWatch} costs a promise, so code that runs for each request calls this.
 *
 * @returns undefined when it throws
 */
export function quietly<T>(watch: () => T): T | undefined {
  try {
    return watch();
  } catch {
    return undefined;
  }
}
