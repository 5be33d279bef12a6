import { MAX_IDENTIFIER_LENGTH } from '../rule/identifier.js';

/** Cleans a label, which may come from a browser unchecked. @returns undefined when no text remains */
export function storedLabel(label: string | undefined): string | undefined {
  if (typeof label !== 'string') return undefined;
  // cuts whole characters, because a cut between code units could split a surrogate pair; PostgreSQL rejects NUL
  const stored = Array.from(label.replaceAll('\0', '')).slice(0, MAX_IDENTIFIER_LENGTH).join('');
  return stored === '' ? undefined : stored;
}
