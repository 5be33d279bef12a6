/** Rows without a test, the document as it should be, and as it is. */
export function conformance(): Promise<{ missing: string[]; text: string; written: string }>;
