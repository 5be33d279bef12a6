/** What each logout module of the OpenID Foundation conformance suite must show, by name. */
export const modules: Readonly<Record<string, string>>;

/** A module's line in docs/conformance.md. */
export function lineOf(name: string, observed: string): string;

/** What is wrong with the observation of a module; undefined when it is the expected one, and the page has it. */
export function faultOf(name: string, observed: string, page: string): string | undefined;
