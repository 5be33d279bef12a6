/** Rows without a test, the document as it should be, and as it is. */
export function conformance(): Promise<{ missing: string[]; text: string; written: string }>;

/** The tests that SECURITY.md names, by quotation or by id, and whether the linked file has them. */
export function securityClaims(): Promise<{ test: string; file: string; found: boolean }[]>;
