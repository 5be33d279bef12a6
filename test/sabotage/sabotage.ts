import { type Patch } from '../support/patch.mjs';

/** A test by its file, from the repository's root, and its full name: its titles, and those of its `describe`, with spaces. */
export interface NamedTest {
  readonly file: string;
  readonly name: string;
}

/** A fault that breaks one promise, and the test that must fail on it. */
export interface Sabotage extends Patch {
  /** The id of a rule (BC-4) or of a situation (P24), or the name of a promise. */
  readonly promise: string;
  /** What the code with the fault does. */
  readonly breaks: string;
  readonly test: NamedTest;
}

/** Names a sabotage in messages. */
export const titleOf = ({ promise, breaks }: Sabotage): string => `${promise}: ${breaks}`;
