/**
 * Runs code of the app's SDK. An SDK that throws must change nothing for a request or a logout.
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
