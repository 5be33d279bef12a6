/** The rows and situations without a test, the document's text from the names of the tests, and the document in the repository. */
export function conformance(): Promise<{ missing: string[]; text: string; written: string }>;

/** A test's title for the document, with "…" in place of each placeholder. */
export function readable(title: string): string;

/** The lines with a placeholder of a test's title: a percent sign before a letter, or a dollar sign. */
export function rawPlaceholders(text: string): string[];
