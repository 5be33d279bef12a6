/** Mutants that live although nothing is wrong, and why: by file, a part of the line, and the kinds of mutation. */
export const survivors = [];
