/** The rows without a test, the document that the tests' names give, and the document in the repository. */
export function conformance(): Promise<{ missing: string[]; text: string; written: string }>;

/** The title of a test for a reader: "…" for each placeholder. */
export function readable(title: string): string;

/** The lines of a text with a percent sign before a letter, or a dollar sign: a placeholder of a test's title. */
export function rawPlaceholders(text: string): string[];

/** The tests that SECURITY.md names, by quotation or by id, and whether the linked file has them. */
export function securityClaims(): Promise<{ test: string; file: string; found: boolean }[]>;
