/** Parses `application/x-www-form-urlencoded` text. `URLSearchParams` would drop a `?` before the first name. */
export function parseParameters(text: string): URLSearchParams {
  return new URLSearchParams(`&${text}`);
}
