/** As many characters as the column takes. */
const MAX_LENGTH = 255;

/** What is stored of a label, which may be anything a browser has sent; undefined when that is nothing. */
export function storedLabel(label: string | undefined): string | undefined {
  if (typeof label !== 'string') return undefined;
  // characters, not code units: half of a pair is none. PostgreSQL takes no NUL
  const stored = Array.from(label.replaceAll('\0', '')).slice(0, MAX_LENGTH).join('');
  return stored === '' ? undefined : stored;
}
